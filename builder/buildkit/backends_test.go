//go:build linux

package buildkit

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/catalog"
)

func TestBackendThatAnswersIsChosen(t *testing.T) {
	dead := "unix://" + filepath.Join(t.TempDir(), "nobody.sock")
	live := env.manager.Address()
	b := &backends{addresses: func() []string { return []string{dead, live} }, running: map[string]int{}}
	parts, release, err := b.acquire(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parts[0].ListWorkers(t.Context()); err != nil {
		t.Error(err)
	}
	if order := b.byLoad(); order[0] != dead || b.running[live] != 1 {
		t.Errorf("with one solve at the live one the order is %v", order)
	}
	release()
	if len(b.running) != 0 {
		t.Errorf("after the solve there still run %v", b.running)
	}

	b.addresses = func() []string { return []string{dead} }
	if _, _, err := b.acquire(t.Context(), nil); catalog.CodeOf(err) != catalog.Unavailable {
		t.Errorf("with no BuildKit that answers: %v", err)
	}
	b.addresses = func() []string { return nil }
	if _, _, err := b.acquire(t.Context(), nil); catalog.CodeOf(err) != catalog.Unavailable {
		t.Errorf("with no address: %v", err)
	}
}

func TestUnreachableBuildKitIsWaitedFor(t *testing.T) {
	cfg := solverConfig(env.manager, env.Registry)
	var reachable atomic.Bool
	cfg.Addresses = func() []string {
		if reachable.Load() {
			return []string{env.manager.Address()}
		}
		return []string{"unix:///nonexistent/buildkitd.sock"}
	}
	solver := newSolver(t, cfg)
	if err := solver.Ping(t.Context()); catalog.CodeOf(err) != catalog.Unavailable {
		t.Errorf("ping: %v", err)
	}
	r := env.Request("ann", "nowhere", "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	waits := ""
	_, err := solver.Solve(ctx, r, func(e builder.Event) {
		waits = e.Waits
		cancel()
	})
	if !errors.Is(err, context.Canceled) || waits != "BuildKit did not respond" {
		t.Errorf("waiting for %q ended with %v", waits, err)
	}
	rec := &buildkittest.Recorder{Notify: make(chan string, 1000)}
	done := make(chan error, 1)
	go func() {
		_, err := solver.Solve(t.Context(), r, rec.Event)
		done <- err
	}()
	buildkittest.AwaitLine(t, rec, "BuildKit is not responding; this build starts as soon as it does")
	reachable.Store(true)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if text := rec.Text(); strings.Count(text, "BuildKit is not responding") != 1 || !strings.Contains(text, "BuildKit is responding\n") {
		t.Errorf("the log is\n%s", text)
	}
}

// issue makes a certificate for 127.0.0.1 that is its own authority, and returns
// it with the paths of its files.
func issue(t *testing.T, name string) (pair tls.Certificate, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	certFile, keyFile = filepath.Join(t.TempDir(), name+".crt"), filepath.Join(t.TempDir(), name+".key")
	for file, data := range map[string][]byte{certFile: certPEM, keyFile: keyPEM} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if pair, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	return pair, certFile, keyFile
}

// tlsFront offers a buildkitd's socket at a TCP port that demands a client certificate.
func tlsFront(t *testing.T, socket string, server tls.Certificate, clients string) string {
	t.Helper()
	pool := x509.NewCertPool()
	if data, err := os.ReadFile(clients); err != nil || !pool.AppendCertsFromPEM(data) {
		t.Fatalf("client certificates: %v", err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{server}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, NextProtos: []string{"h2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close() //nolint:errcheck // the test's end of a pipe
				back, err := net.Dial("unix", socket)
				if err != nil {
					return
				}
				defer back.Close() //nolint:errcheck // the test's end of a pipe
				go func() { _, _ = io.Copy(back, conn) }()
				_, _ = io.Copy(conn, back)
			}()
		}
	}()
	return "tcp://" + listener.Addr().String()
}

func TestMutualTLS(t *testing.T) {
	server, serverCert, _ := issue(t, "server")
	_, clientCert, clientKey := issue(t, "client")
	_, strangerCert, strangerKey := issue(t, "stranger")
	address := tlsFront(t, strings.TrimPrefix(env.manager.Address(), "unix://"), server, clientCert)
	for name, test := range map[string]struct {
		files TLS
		ok    bool
	}{
		"both sides known":   {TLS{CA: serverCert, Cert: clientCert, Key: clientKey}, true},
		"unknown client":     {TLS{CA: serverCert, Cert: strangerCert, Key: strangerKey}, false},
		"unknown server":     {TLS{CA: strangerCert, Cert: clientCert, Key: clientKey}, false},
		"without any":        {TLS{}, false},
		"without client key": {TLS{CA: serverCert}, false},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := solverConfig(env.manager, env.Registry)
			cfg.Addresses, cfg.TLS = func() []string { return []string{address} }, test.files
			solver := newSolver(t, cfg)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if err := solver.Ping(ctx); (err == nil) != test.ok {
				t.Errorf("ping: %v", err)
			}
		})
	}
}
