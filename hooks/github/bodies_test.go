package github_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// A sender that leaves large deliveries unfinished, unsigned, keeps out no other.
func TestUnfinishedDeliveries(t *testing.T) {
	f := newForge(t)
	h := newEnv(t, f)
	h.connect("app", "acme/app")
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 9, 9)}}
	part := strings.Repeat("x", 17<<20)
	for range 5 {
		conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(h.server.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_, err = fmt.Fprintf(conn, "POST /webhooks/github HTTP/1.1\r\nHost: h\r\nX-Hub-Signature-256: sha256=%064d\r\nContent-Length: 20000000\r\n\r\n", 0)
		if err == nil {
			_, err = io.WriteString(conn, part)
		}
		if err != nil {
			t.Log(err) // given up already
		}
	}
	payload := pushed("acme/app", "refs/tags/v1", strings.Repeat("a", 40))
	payload["padding"] = strings.Repeat("y", 1<<20)
	body, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if a := h.post("push", fmt.Sprint("id", i), body); a.status != 200 {
			t.Errorf("delivery %d: %+v", i, a)
		}
	}
}

// One connection whose secret can't be read is no reason to refuse what the others signed.
func TestSecretThatCanNotBeRead(t *testing.T) {
	f := newForge(t)
	h := newEnv(t, f)
	broken := h.connect("broken", "acme/app")
	h.connect("app", "acme/app")
	c, err := h.store.ConnectionOf(t.Context(), broken.ID)
	if err != nil {
		t.Fatal(err)
	}
	c.Sealed = []byte("garbled")
	if _, err := h.store.PutConnection(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(pushed("acme/app", "refs/tags/v1", strings.Repeat("a", 40)))
	if err != nil {
		t.Fatal(err)
	}
	if a := h.post("push", "id", body); a.status != 200 || !strings.Contains(a.Message, "ann/app") {
		t.Errorf("%+v", a)
	}
}
