package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/fandoghpaas/fandogh/config"
	"github.com/fandoghpaas/fandogh/internal/metrics"
)

// described returns the labels of each metric that a daemon has, by its name.
func described(t *testing.T) map[string][]string {
	t.Helper()
	d := &daemon{config: config.Default(), metrics: metrics.New("v1", hclog.NewNullLogger())}
	if err := d.watchState(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := make(chan *prometheus.Desc)
	go func() {
		defer close(all)
		d.metrics.Describe(all)
	}()
	known := map[string][]string{}
	for desc := range all {
		// A Desc tells its parts by String alone.
		m := regexp.MustCompile(`^Desc\{fqName: "(\w+)".*constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}$`).FindStringSubmatch(desc.String())
		if m == nil {
			t.Fatalf("can't read %s", desc)
		}
		known[m[1]] = append(strings.Split(m[3], ","), regexp.MustCompile(`\w+(?:="[^"]*")`).FindAllString(m[2], -1)...)
	}
	return known
}

// TestMetricsAreDocumented holds the table of docs/operations.md to the daemon.
func TestMetricsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range described(t) {
		if short, ours := strings.CutPrefix(name, "fandogh_"); ours && !strings.Contains(string(text), "`"+short+"`") {
			t.Errorf("docs/operations.md lacks %s", name)
		}
	}
}

// TestAlertsAndDashboardAskForMetricsThatExist parses every expression that is there to be imported.
func TestAlertsAndDashboardAskForMetricsThatExist(t *testing.T) {
	known := described(t)
	alerts, panels := alertExpressions(t), dashboardExpressions(t)
	if len(alerts) < 10 || len(panels) < 20 {
		t.Fatalf("saw only %d alerts and %d expressions of panels", len(alerts), len(panels))
	}
	for _, text := range append(alerts, panels...) {
		expression, err := parser.ParseExpr(strings.ReplaceAll(text, "$__rate_interval", "5m"))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
			if selector, is := node.(*parser.VectorSelector); is {
				checkSelector(t, selector, known)
			}
			return nil
		})
	}
}

// scraped are labels that Prometheus adds.
var scraped = []string{labels.MetricName, "job", "instance"}

func checkSelector(t *testing.T, s *parser.VectorSelector, known map[string][]string) {
	t.Helper()
	if s.Name == "up" { // Prometheus' own
		return
	}
	has, found := known[s.Name]
	for _, part := range []string{"_bucket", "_sum", "_count"} {
		if base, is := strings.CutSuffix(s.Name, part); is && !found {
			has, found = known[base]
		}
	}
	if !found {
		t.Errorf("%s: there is no such metric", s)
		return
	}
	for _, m := range s.LabelMatchers {
		if !slices.Contains(scraped, m.Name) && !slices.Contains(has, m.Name) {
			t.Errorf("%s: the metric has no label %s", s, m.Name)
		}
	}
}

func alertExpressions(t *testing.T) (all []string) {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	text, err := os.ReadFile("../../deploy/prometheus/alerts.yml")
	if err == nil {
		err = yaml.UnmarshalWithOptions(text, &file)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" || rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("the alert %q lacks a severity, a summary or a description", rule.Alert)
			}
			all = append(all, rule.Expr)
		}
	}
	return all
}

func dashboardExpressions(t *testing.T) (all []string) {
	t.Helper()
	type queries []struct{ Expr string }
	var board struct {
		Title, UID string
		Panels     []struct {
			ID          int
			Type, Title string
			Targets     queries
		}
		Annotations struct{ List queries }
	}
	text, err := os.ReadFile("../../deploy/grafana/fandogh.json")
	if err == nil {
		err = json.Unmarshal(text, &board)
	}
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, panel := range board.Panels {
		if seen[panel.ID] || panel.Title == "" || panel.Type != "row" && len(panel.Targets) == 0 {
			t.Errorf("panel %d %q has another's number, no title or nothing to show", panel.ID, panel.Title)
		}
		seen[panel.ID] = true
		for _, target := range panel.Targets {
			all = append(all, target.Expr)
		}
	}
	for _, annotation := range board.Annotations.List {
		all = append(all, annotation.Expr)
	}
	return all
}

func TestCertificateEnd(t *testing.T) {
	soon, later := time.Now().Add(time.Hour).Truncate(time.Second), time.Now().Add(48*time.Hour).Truncate(time.Second)
	dir := t.TempDir()
	file, key := filepath.Join(dir, "a.example.com"), filepath.Join(dir, "key")
	writeCertificate(t, file, key, soon)
	writeCertificate(t, filepath.Join(dir, "b.example.com"), filepath.Join(dir, "other-key"), later)
	for name, test := range map[string]struct {
		tls  config.HTTPSTLS
		want time.Time
		err  bool
	}{
		"without TLS":      {config.HTTPSTLS{}, time.Time{}, false},
		"files":            {config.HTTPSTLS{Cert: file, Key: key}, soon, false},
		"ACME, the first":  {config.HTTPSTLS{ACMEHosts: []string{"b.example.com", "a.example.com"}}, soon, false},
		"ACME, not yet":    {config.HTTPSTLS{ACMEHosts: []string{"b.example.com", "c.example.com"}}, later, false},
		"a file that went": {config.HTTPSTLS{Cert: file + "x", Key: key}, time.Time{}, true},
		"no certificate":   {config.HTTPSTLS{Cert: key, Key: key}, time.Time{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := certificateEnd(context.Background(), test.tls, dir)
			if !got.Equal(test.want) || (err != nil) != test.err {
				t.Errorf("got %v, %v; want %v", got, err, test.want)
			}
		})
	}
}

// TestCertificateThatIsServed has a renewal that went wrong: what is told of is the certificate that clients get, and why it is not the new one.
func TestCertificateThatIsServed(t *testing.T) {
	now, later := time.Now().Add(time.Hour).Truncate(time.Second), time.Now().Add(48*time.Hour).Truncate(time.Second)
	file, key := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	var log strings.Builder
	f := &certificateFiles{log: hclog.New(&hclog.LoggerOptions{Output: &log})}
	written := time.Now().Add(-time.Hour)
	write := func(key string, end time.Time) {
		writeCertificate(t, file, key, end)
		written = written.Add(time.Minute) // file systems have clocks that stand for milliseconds
		if err := os.Chtimes(file, written, written); err != nil {
			t.Fatal(err)
		}
	}
	write(key, now)
	if err := f.use(file, key); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		renew func()
		want  time.Time
		said  int // warnings so far
	}{
		{"nothing new", func() {}, now, 0},
		{"another key's", func() { write(filepath.Join(t.TempDir(), "other"), later) }, now, 1},
		{"the same again", func() {}, now, 1},
		{"gone", func() { _ = os.Remove(file) }, now, 2},
		{"whole", func() { write(key, later) }, later, 2},
		{"gone again", func() { _ = os.Remove(file) }, later, 3},
	} {
		test.renew()
		if got := f.end(); !got.Equal(test.want) {
			t.Errorf("%s: it ends %v, want %v", test.name, got, test.want)
		}
		if said := strings.Count(log.String(), file); said != test.said {
			t.Errorf("%s: %d warnings that name %s, want %d:\n%s", test.name, said, file, test.said, &log)
		}
	}
}

// writeCertificate writes a certificate of nobody that ends at a time, and its key.
func writeCertificate(t *testing.T, certFile, keyFile string, end time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
