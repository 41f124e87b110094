package protocol

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/packets"
)

// git says all it has to say before it looks for an answer, and dies of a connection that is closed earlier.
func TestRefusedRequestsAreReadToTheirEnd(t *testing.T) {
	command := strings.Repeat("0", 40) + " " + strings.Repeat("1", 40) + " refs/heads/main"
	for name, lines := range map[string][]string{
		"too many options":         slices.Concat([]string{command + "\x00push-options", ""}, slices.Repeat([]string{"detach"}, maxPushOptions+10), []string{""}),
		"a bad command":            {command + "\x00report-status", "nonsense", command, ""},
		"a bad command, options":   {command + "\x00push-options", "nonsense", command, "", "detach", ""},
		"a bad line of no history": {"shallow 123", command, ""},
	} {
		var stream bytes.Buffer
		encoder := pktline.NewEncoder(&stream)
		if err := encoder.EncodeString(lines...); err != nil { // an empty one is a flush
			t.Fatal(err)
		}
		stream.WriteString("PACK")
		reader := packets.NewReader(&stream)
		if _, err := readPushRequest(reader); catalog.CodeOf(err) != catalog.Invalid {
			t.Errorf("%s: %v", name, err)
		}
		if rest, err := io.ReadAll(reader.R); err != nil || string(rest) != "PACK" {
			t.Errorf("%s: %d bytes are left: %.40q %v", name, len(rest), rest, err)
		}
	}
}

func FuzzReadPushRequest(f *testing.F) {
	zero, one := strings.Repeat("0", 40), strings.Repeat("1", 40)
	f.Add([]byte("0000"))
	f.Add([]byte("0094" + zero + " " + one + " refs/heads/main\x00 report-status push-options side-band-64k agent=git/20000000010detach0000"))
	f.Add([]byte("0035shallow " + one + "\n0000"))
	f.Add([]byte("0004ffff"))
	f.Add([]byte("001epush-cert\x00 report-status\n0010nonce abc\n0005\n0082" + zero + " " + one + " refs/heads/main\n" + "0023-----BEGIN SSH SIGNATURE-----\n0012push-cert-end\n0000"))
	f.Fuzz(func(t *testing.T, data []byte) {
		req, err := readPushRequest(packets.NewReader(bytes.NewReader(data)))
		if err != nil || req == nil {
			return
		}
		if len(req.commands) == 0 {
			t.Error("a request without commands")
		}
		for _, c := range req.commands {
			if c.change.Name == "" {
				t.Error("a command without ref")
			}
		}
	})
}
