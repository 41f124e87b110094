package main

import (
	"crypto/tls"
	"os"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"github.com/fandoghpaas/fandogh/config"
)

// tlsConfig returns how the HTTP listener speaks TLS. ACME keeps its keys and
// certificates in cacheDir.
func tlsConfig(c config.HTTPSTLS, cacheDir string) (*tls.Config, error) {
	if len(c.ACMEHosts) > 0 {
		manager := &autocert.Manager{
			Prompt:     autocert.AcceptTOS,
			Cache:      autocert.DirCache(cacheDir),
			HostPolicy: autocert.HostWhitelist(c.ACMEHosts...),
			Email:      c.ACMEEmail,
		}
		if c.ACMEDirectory != "" {
			manager.Client = &acme.Client{DirectoryURL: c.ACMEDirectory}
		}
		return manager.TLSConfig(), nil
	}
	files := &certificateFiles{cert: c.Cert, key: c.Key}
	if _, err := files.get(nil); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: files.get, NextProtos: []string{"h2", "http/1.1"}}, nil
}

// certificateFiles serves the certificate of two files and reads them again
// when the certificate's file has changed, so that a renewal needs no restart.
type certificateFiles struct {
	cert, key string

	mu      sync.Mutex
	changed time.Time
	loaded  *tls.Certificate
}

func (f *certificateFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.cert)
	if err == nil && f.loaded != nil && info.ModTime().Equal(f.changed) {
		return f.loaded, nil
	}
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.LoadX509KeyPair(f.cert, f.key)
	}
	switch {
	case err == nil:
		f.loaded, f.changed = &pair, info.ModTime()
	case f.loaded == nil:
		return nil, err
	}
	// Half of a renewal may be written: the old pair serves until the new one is whole.
	return f.loaded, nil
}
