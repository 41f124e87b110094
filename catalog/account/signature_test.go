package account_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"strings"
	"testing"

	openpgparmor "github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/catalog"
)

func tagText(name, tagger string) string {
	return "object 0123456789012345678901234567890123456789\ntype commit\ntag " + name + "\ntagger " + tagger + " <a@b> 1 +0000\n\nx\n"
}

// sshSigner makes a key, its public line and what it signs.
func sshSigner(t *testing.T) (line string, sign func(text string) string) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(signer.PublicKey())), func(text string) string {
		s, err := sshsig.Sign(strings.NewReader(text), signer, sshsig.HashSHA512, "git")
		if err != nil {
			t.Fatal(err)
		}
		return text + string(sshsig.Armor(s))
	}
}

func armored(t *testing.T, kind string, write func(*bytes.Buffer) error) string {
	var content, out bytes.Buffer
	if err := write(&content); err != nil {
		t.Fatal(err)
	}
	w, err := openpgparmor.Encode(&out, kind, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Whoever puts another's subkey into his own key neither signs by it nor gets into its way.
func TestSubkeyOfAnother(t *testing.T) {
	s, store, c, ann := start(t)
	ctx := t.Context()
	mallory, err := s.CreateUser(ctx, "mallory", password, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.SetMember(ctx, "ann", mallory.ID, catalog.RoleWrite); err != nil {
		t.Fatal(err)
	}
	config := &packet.Config{Time: c.Now, Algorithm: packet.PubKeyAlgoEdDSA}
	entity := func(name string) *openpgp.Entity {
		e, err := openpgp.NewEntity(name, "", "", config)
		if err == nil {
			err = e.AddSigningSubkey(config)
		}
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	hers := entity("ann")
	add := func(user catalog.User, e *openpgp.Entity) {
		t.Helper()
		text := armored(t, openpgp.PublicKeyType, func(b *bytes.Buffer) error { return e.Serialize(b) })
		if _, err := s.AddKey(ctx, user.ID, "", text); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		his := entity("mallory")
		his.Subkeys = append(his.Subkeys, hers.Subkeys...)
		add(mallory, his)
	}
	text := tagText("v1", "ann")
	var out bytes.Buffer
	if err := openpgp.ArmoredDetachSign(&out, []*openpgp.Entity{hers}, strings.NewReader(text), &openpgp.SignParams{Config: config}); err != nil {
		t.Fatal(err)
	}
	signed := []byte(text + out.String() + "\n")
	if got, err := s.VerifyTag(ctx, "ann", "v1", signed); err != nil || got.Verified || !strings.Contains(got.Reason, "is not known") {
		t.Errorf("by mallory's: %+v, %v", got, err)
	}
	add(ann, hers)
	if got, err := s.VerifyTag(ctx, "ann", "v1", signed); err != nil || got.Signer != "ann" {
		t.Errorf("by her own: %+v, %v", got, err)
	}
}

// pgpSigner makes an OpenPGP key, armored, and what it signs.
func pgpSigner(t *testing.T, c *clock, lifetime uint32) (key, private string, sign func(text string) string) {
	config := &packet.Config{Time: c.Now, Algorithm: packet.PubKeyAlgoEdDSA, KeyLifetimeSecs: lifetime}
	entity, err := openpgp.NewEntity("Ann\x1b[2J", "", "ann@example.org", config)
	if err != nil {
		t.Fatal(err)
	}
	key = armored(t, openpgp.PublicKeyType, func(b *bytes.Buffer) error { return entity.Serialize(b) })
	private = armored(t, openpgp.PrivateKeyType, func(b *bytes.Buffer) error { return entity.SerializePrivate(b, config) })
	return key, private, func(text string) string {
		var out bytes.Buffer
		if err := openpgp.ArmoredDetachSign(&out, []*openpgp.Entity{entity}, strings.NewReader(text), &openpgp.SignParams{Config: config}); err != nil {
			t.Fatal(err)
		}
		return text + out.String() + "\n"
	}
}

// A tag is verified when its signature is good for it, and by a key of a member who may write.
func TestVerifyTag(t *testing.T) {
	s, store, c, ann := start(t)
	ctx := t.Context()
	bob, err := s.CreateUser(ctx, "bob", password, false)
	if err != nil {
		t.Fatal(err)
	}
	line, sign := sshSigner(t)
	sshKey, err := s.AddKey(ctx, ann.ID, "", line)
	if err != nil {
		t.Fatal(err)
	}
	public, private, signPGP := pgpSigner(t, c, 3600)
	pgpKey, err := s.AddKey(ctx, ann.ID, "", public)
	if err != nil {
		t.Fatal(err)
	}
	if pgpKey.Kind != catalog.KeyOpenPGP || pgpKey.Name != "Ann[2J <ann@example.org>" {
		t.Errorf("added %+v", pgpKey)
	}
	for what, text := range map[string]string{
		"the same key": public, "a private key": private, "two keys": public + public, "a large key": strings.Replace(public, "\n\n", "\nComment: "+strings.Repeat("x", 70<<10)+"\n\n", 1),
		"a truncated key": public[:len(public)/2], "a signature": signPGP(""),
	} {
		if _, err := s.AddKey(ctx, bob.ID, "", text); err == nil || catalog.CodeOf(err) == catalog.Internal {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, stranger := sshSigner(t)
	text := tagText("v1", "ann")
	verify := func(what, namespace, object, reason string, verified bool) {
		t.Helper()
		got, err := s.VerifyTag(ctx, namespace, "v1", []byte(object))
		if err != nil || got.Verified != verified || !strings.Contains(got.Reason, reason) || verified != (got.Signer == "ann") {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
		if verified && got.Key != sshKey.Fingerprint && got.Key != pgpKey.Fingerprint {
			t.Errorf("%s: by key %s", what, got.Key)
		}
	}
	verify("SSH", "ann", sign(text), "", true)
	verify("SSH, of a namespace in other case", "Ann", sign(text), "", true)
	verify("OpenPGP", "ann", signPGP(text), "", true)
	verify("who claims to be another", "ann", sign(tagText("v1", "bob")), "", true)
	verify("a namespace of another", "bob", sign(text), "is not known as that of a user who may push to bob", false)
	verify("OpenPGP, a namespace of another", "bob", signPGP(text), "is not known as that of", false)
	verify("a stranger who claims to be ann", "ann", stranger(text), "is not known", false)
	verify("not signed", "ann", text, "", false)
	verify("renamed", "ann", sign(tagText("v2", "ann")), `signed as "v2"`, false)
	verify("a name of other case", "ann", sign(tagText("V1", "ann")), `signed as "V1"`, false)
	verify("a name that looks the same", "ann", sign(tagText("v1\u200b", "ann")), `signed as "v1\u200b"`, false)
	verify("a name after the header's end", "ann", sign(strings.Replace(tagText("v2", "ann"), "\n\n", "\n\ntag v1\n", 1)), "renamed", false)
	verify("X.509", "ann", text+"-----BEGIN SIGNED MESSAGE-----\nx\n-----END SIGNED MESSAGE-----\n", "X.509", false)
	verify("a huge signature", "ann", text+"-----BEGIN PGP SIGNATURE-----\n\n"+strings.Repeat("aaaa\n", 20000)+"-----END PGP SIGNATURE-----\n", "larger than", false)
	verify("nonsense", "ann", "x", "not valid", false)

	signed := signPGP(text)
	c.Add(2 * 3600e9)
	verify("a key that has expired", "ann", signed, "has expired", false)
	if err := store.DeleteKey(ctx, ann.ID, sshKey.ID); err != nil {
		t.Fatal(err)
	}
	verify("a key that was deleted", "ann", sign(text), "is not known", false)
}
