package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"github.com/fandoghpaas/fandogh/config"
)

// acmeConfig returns how the HTTP listener speaks TLS with certificates by ACME, whose keys and certificates are kept in cacheDir.
func acmeConfig(c config.HTTPSTLS, cacheDir string) *tls.Config {
	manager := &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      autocert.DirCache(cacheDir),
		HostPolicy: autocert.HostWhitelist(c.ACMEHosts...),
		Email:      c.ACMEEmail,
	}
	if c.ACMEDirectory != "" {
		manager.Client = &acme.Client{DirectoryURL: c.ACMEDirectory}
	}
	return manager.TLSConfig()
}

// certificateFiles serves the certificate of two files and reads them again
// when the certificate's file has changed, so that a renewal needs no restart.
type certificateFiles struct {
	log hclog.Logger

	mu        sync.Mutex
	cert, key string
	changed   time.Time
	loaded    *tls.Certificate
	failed    string // why the files can't be used since they changed, as it was logged
}

// use has the certificate read from two files from now on. An error leaves all as it was.
func (f *certificateFiles) use(cert, key string) error {
	loaded, changed, err := loadCertificate(cert, key)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cert, f.key, f.loaded, f.changed, f.failed = cert, key, loaded, changed, ""
	return nil
}

func (f *certificateFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.cert)
	if err == nil && info.ModTime().Equal(f.changed) {
		return f.loaded, nil
	}
	// Half of a renewal may be written: the old pair serves until the new one is whole.
	loaded, changed, err := loadCertificate(f.cert, f.key)
	if err == nil {
		f.loaded, f.changed, f.failed = loaded, changed, ""
	} else if why := err.Error(); why != f.failed {
		f.log.Warn("the files of http.tls changed and can't be used; the certificate from before is served", "error", err)
		f.failed = why
	}
	return f.loaded, nil
}

// end returns when the certificate ends that clients get.
func (f *certificateFiles) end() time.Time {
	served, _ := f.get(nil)
	return served.Leaf.NotAfter
}

// loadCertificate reads a pair, and when its certificate was changed.
func loadCertificate(cert, key string) (*tls.Certificate, time.Time, error) {
	info, err := os.Stat(cert)
	if err != nil {
		return nil, time.Time{}, err
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("%s and %s: %w", cert, key, err)
	}
	return &pair, info.ModTime(), nil
}

// certificateEnd returns when the first of the certificates ends that a listener would have; zero: there is none, or none yet.
func certificateEnd(ctx context.Context, c config.HTTPSTLS, cacheDir string) (time.Time, error) {
	var end time.Time
	take := func(chain []byte) error {
		at, err := leafEnd(chain)
		if err == nil && (end.IsZero() || at.Before(end)) {
			end = at
		}
		return err
	}
	if c.Cert != "" {
		pair, _, err := loadCertificate(c.Cert, c.Key)
		if err != nil {
			return end, err
		}
		return pair.Leaf.NotAfter, nil
	}
	for _, host := range c.ACMEHosts {
		chain, err := autocert.DirCache(cacheDir).Get(ctx, host)
		if errors.Is(err, autocert.ErrCacheMiss) {
			continue // nobody has asked for it yet
		}
		if err == nil {
			err = take(chain)
		}
		if err != nil {
			return end, fmt.Errorf("certificate of %s: %w", host, err)
		}
	}
	return end, nil
}

// leafEnd returns the end of the first certificate of a PEM file, which may hold the key, too.
func leafEnd(text []byte) (time.Time, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			leaf, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return time.Time{}, err
			}
			return leaf.NotAfter, nil
		}
	}
	return time.Time{}, errors.New("there is no certificate in it")
}
