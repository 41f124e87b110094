//go:build linux

package buildkit

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"io"
	"net"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/fandoghpaas/fandogh/catalog"
)

// A step uses the key of its agent, and has the server keep or read nothing else.
func TestAgentsKeepNothingOfSteps(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	key := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)}))
	other, _ := newSSHKey(t)
	secrets, err := newBuildSecrets([]catalog.OpenSecret{given(catalog.SecretSSHKey, "default", key, "f1")}, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	connect := func() net.Conn {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { _ = theirs.Close() })
		go func() {
			_ = secrets.agents.keys[given(catalog.SecretSSHKey, "", "", "f1").Alias].serve(ours)
			_ = ours.Close()
		}()
		return theirs
	}
	client := agent.NewClient(connect())
	added, err := ssh.ParseRawPrivateKey([]byte(other))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := client.List()
	if err != nil || len(keys) != 1 {
		t.Fatalf("keys: %v, %v", keys, err)
	}
	for what, err := range map[string]error{
		"add": client.Add(agent.AddedKey{PrivateKey: added}), "remove": client.Remove(keys[0]), "remove all": client.RemoveAll(), "lock": client.Lock([]byte("x")),
	} {
		if err == nil {
			t.Errorf("%s: allowed", what)
		}
	}
	signature, err := client.SignWithFlags(keys[0], []byte("data"), agent.SignatureFlagRsaSha256)
	if err != nil || signature.Format != ssh.KeyAlgoRSASHA256 {
		t.Errorf("signed: %v, %v", signature, err)
	}
	if keys, err := client.List(); err != nil || len(keys) != 1 {
		t.Errorf("keys afterwards: %v, %v", keys, err)
	}
	// A message that is longer than an agent's may be ends the connection before it is read.
	raw := connect()
	go func() { _, _ = raw.Write(binary.BigEndian.AppendUint32(nil, 1<<20)) }()
	if _, err := io.Copy(io.Discard, raw); err != nil {
		t.Error(err)
	}
}
