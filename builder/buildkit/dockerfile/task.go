package dockerfile

import (
	"encoding/binary"
	"encoding/json"
	"io"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
)

// job is what a child is told first: what gateway.Client.BuildOpts says, but the
// capabilities, and what the operator allows.
type job struct {
	Options   map[string]string
	Session   string
	Product   string
	Workers   []gateway.WorkerInfo
	Frontends []string
}

// sendJob writes a job and its length, so that what follows is left to be read.
func sendJob(w io.Writer, j job) error {
	text, err := json.Marshal(j)
	if err != nil {
		return err
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...))
	return err
}

// receiveJob reads one. Its error is io.EOF when there is none.
func receiveJob(r io.Reader) (*job, error) {
	var size uint32
	if err := binary.Read(r, binary.BigEndian, &size); err != nil {
		return nil, err
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, err
	}
	j := &job{Options: map[string]string{}}
	return j, json.Unmarshal(text, j)
}
