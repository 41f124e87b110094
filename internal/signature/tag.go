// Package signature reads the signatures that git makes of tags and pushes, and checks them by public keys: those of SSH and of
// OpenPGP. It knows of no users: whose a key is, others say.
package signature

import (
	"bytes"
	"fmt"
)

// Kind is how something is signed.
type Kind string

// Kinds of signatures that git makes.
const (
	SSH     Kind = "ssh"
	OpenPGP Kind = "openpgp"
	X509    Kind = "x509" // never verified
)

// Error says what is wrong with a key or a signature, in a clause that is safe to show.
type Error struct {
	Message string
	Err     error // the cause; may be nil
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func invalid(err error, format string, args ...any) error {
	return &Error{Message: fmt.Sprintf(format, args...), Err: err}
}

// maxArmor bounds a signature, in bytes.
const maxArmor = 64 << 10

// Tag is an annotated tag as whoever signed it saw it.
type Tag struct {
	Name      string // that the tag gives itself
	Text      []byte // what is signed
	Signature []byte // armored; empty: there is none
}

// beginnings are the lines that begin a signature, as git has them.
var beginnings = []struct {
	line string
	kind Kind
}{
	{"-----BEGIN PGP SIGNATURE-----", OpenPGP},
	{"-----BEGIN PGP MESSAGE-----", OpenPGP},
	{"-----BEGIN SIGNED MESSAGE-----", X509},
	{"-----BEGIN SSH SIGNATURE-----", SSH},
}

// KindOf returns the kind of an armored signature, empty when it is none.
func KindOf(armored []byte) Kind {
	for _, b := range beginnings {
		if bytes.HasPrefix(armored, []byte(b.line)) {
			return b.kind
		}
	}
	return ""
}

// ParseTag cuts a tag object where git does: its signature begins at the last line that can begin one, and what git would
// have signed for another hash function is no part of the text. Errors: *Error.
func ParseTag(object []byte) (Tag, error) {
	at := len(object)
	for i := 0; i < len(object); {
		if KindOf(object[i:]) != "" {
			at = i
		}
		next := bytes.IndexByte(object[i:], '\n')
		if next < 0 {
			break
		}
		i += next + 1
	}
	t := Tag{Text: withoutHeaders(object[:at]), Signature: object[at:]}
	lines := bytes.SplitN(t.Text, []byte{'\n'}, 4)
	if len(lines) < 4 || !bytes.HasPrefix(lines[0], []byte("object ")) || !bytes.HasPrefix(lines[1], []byte("type ")) {
		return t, invalid(nil, "the tag object is not valid")
	}
	name, ok := bytes.CutPrefix(lines[2], []byte("tag "))
	if !ok {
		return t, invalid(nil, "the tag object has no name")
	}
	t.Name = string(name)
	return t, nil
}

// withoutHeaders leaves out the signatures in a tag's header.
func withoutHeaders(text []byte) []byte {
	var kept []byte
	dropped := false
	for rest := text; len(rest) > 0; {
		line := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			line = rest[:i+1]
		}
		if line[0] == '\n' { // the message
			return append(kept, rest...)
		}
		dropped = dropped && line[0] == ' ' || bytes.HasPrefix(line, []byte("gpgsig ")) || bytes.HasPrefix(line, []byte("gpgsig-sha256 "))
		if !dropped {
			kept = append(kept, line...)
		}
		rest = rest[len(line):]
	}
	return kept
}

// block returns an armored block without what could be said around it. Errors: *Error.
func block(armored []byte, label string) ([]byte, error) {
	if len(armored) > maxArmor {
		return nil, invalid(nil, "the signature is larger than %d bytes", maxArmor)
	}
	begin, end := []byte("-----BEGIN "+label+"-----"), []byte("-----END "+label+"-----")
	if !bytes.HasPrefix(armored, begin) {
		return nil, invalid(nil, "the signature is not armored as %s", label)
	}
	i := bytes.Index(armored, append([]byte{'\n'}, end...))
	if i < 0 {
		return nil, invalid(nil, "the signature is truncated")
	}
	whole := armored[:i+1+len(end)]
	if len(bytes.TrimSpace(armored[len(whole):])) > 0 {
		return nil, invalid(nil, "text that is not signed follows the signature")
	}
	return whole, nil
}
