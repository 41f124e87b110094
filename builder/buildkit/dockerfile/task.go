package dockerfile

import (
	"encoding/binary"
	"encoding/json"
	"io"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
)

// task is what a child is told first: what gateway.Client.BuildOpts says, but the
// capabilities, and what the operator allows.
type task struct {
	Options   map[string]string
	Session   string
	Product   string
	Workers   []gateway.WorkerInfo
	Frontends []string
}

// sendTask writes a task and its length, so that what follows is left to be read.
func sendTask(w io.Writer, t task) error {
	text, err := json.Marshal(t)
	if err != nil {
		return err
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...))
	return err
}

// receiveTask reads one. Its error is io.EOF when there is none.
func receiveTask(r io.Reader) (*task, error) {
	var size uint32
	if err := binary.Read(r, binary.BigEndian, &size); err != nil {
		return nil, err
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, err
	}
	t := &task{Options: map[string]string{}}
	return t, json.Unmarshal(text, t)
}
