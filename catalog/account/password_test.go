package account

import (
	"strings"
	"testing"
)

func TestHash(t *testing.T) {
	first, second := hashPassword("correct horse"), hashPassword("correct horse")
	if first == second {
		t.Error("two hashes of one password are equal: the salt is not random")
	}
	if !strings.HasPrefix(first, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("got %s", first)
	}
	h, err := parseHash(first)
	if err != nil {
		t.Fatal(err)
	}
	if !h.matches("correct horse") || h.matches("correct horsf") || h.matches("") {
		t.Error("the hash does not tell its password from others")
	}
	// Made by the reference implementation: argon2 somesalt -id -t 2 -k 256 -p 1, password "password".
	known, err := parseHash("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	if err != nil {
		t.Fatal(err)
	}
	if !known.matches("password") {
		t.Error("a hash of the reference implementation is not understood")
	}
}

func TestNoPasswordMatches(t *testing.T) {
	for _, password := range []string{"", "password", strings.Repeat("\x00", 32)} {
		if noPassword.matches(password) {
			t.Errorf("%q matches the hash that stands for no password", password)
		}
	}
}

func FuzzParseHash(f *testing.F) {
	good := argonHash{memory: 64, passes: 1, threads: 1, salt: make([]byte, saltLength), sum: make([]byte, sumLength)}.String()
	f.Add(good)
	for _, bad := range []string{
		"", "$", "plain", strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=64", "m=99999999", 1), strings.Replace(good, "t=1", "t=0", 1), strings.Replace(good, "p=1", "p=0", 1),
		good[:len(good)-30], good + "$",
	} {
		if _, err := parseHash(bad); err == nil {
			f.Errorf("%q is taken for a hash", bad)
		}
		f.Add(bad)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parseHash(text)
		if err != nil {
			return
		}
		again, err := parseHash(h.String())
		if err != nil || again.String() != h.String() {
			t.Fatalf("%q reads as %s, and that as %s, %v", text, h, again, err)
		}
	})
}
