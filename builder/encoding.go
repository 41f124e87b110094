package builder

import (
	"bytes"

	"github.com/fandoghpaas/fandogh/catalog"
)

// byteOrderMark begins a UTF-8 file of some editors and means nothing there.
const byteOrderMark = "\xef\xbb\xbf"

// CheckEncoding refuses a text in UTF-16 or UTF-32, of which a parser
// would make nonsense. begin is the text, or at least its first four bytes. Errors: Invalid.
func CheckEncoding(name string, begin []byte) error {
	for _, wide := range []struct{ mark, encoding string }{ // longer marks first
		{"\xff\xfe\x00\x00", "UTF-32"}, {"\x00\x00\xfe\xff", "UTF-32"}, {"\xff\xfe", "UTF-16"}, {"\xfe\xff", "UTF-16"},
	} {
		if bytes.HasPrefix(begin, []byte(wide.mark)) {
			return notUTF8(name, "is encoded in "+wide.encoding)
		}
	}
	// Without a mark, every other byte of plain text tells it.
	if bytes.IndexByte(begin[:min(2, len(begin))], 0) >= 0 {
		return notUTF8(name, "seems to be encoded in UTF-16")
	}
	return nil
}

func notUTF8(name, is string) error {
	return catalog.Errorf(catalog.Invalid, "%s %s; save it as UTF-8 and commit it again", name, is)
}
