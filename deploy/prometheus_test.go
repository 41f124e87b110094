//go:build deploy

package deploy

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/programs"
)

// TestPrometheus has Prometheus scrape a daemon, as docs/operations.md says, on which there was something of all that is counted, and asks
// it what the dashboard and the alerts ask: each must find something.
func TestPrometheus(t *testing.T) {
	w := newWatched(t)
	w.prometheus(t)
	w.something(t, "v1")
	eventually(t, "the first builds are known", func() bool { return w.knows(t, `fandogh_builds_total{outcome="built"} >= 1`) })
	w.something(t, "v2") // what rates are of
	t.Run("dashboard", func(t *testing.T) {
		for title, expression := range dashboard(t) {
			expression = strings.NewReplacer("$__rate_interval", "5m", "$job", "fandogh", "$instance", ".*").Replace(expression)
			eventually(t, title+": "+expression, func() bool { return w.knows(t, expression) })
		}
	})
	t.Run("alerts", w.alerts)
}

// watched is a daemon with TLS that a Prometheus scrapes.
type watched struct {
	dir, data, config string
	url               string // of the daemon
	asked             string // of Prometheus
	client            *http.Client
	user              *user
	token             string
	daemon            *programs.Process
}

func newWatched(t *testing.T) *watched {
	t.Helper()
	w := &watched{dir: t.TempDir()}
	w.data, w.config = filepath.Join(w.dir, "data"), filepath.Join(w.dir, "config.yaml")
	_, w.client = newCertificate(t, w.dir)
	address, err := programs.FreeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	address = strings.Replace(address, "127.0.0.1", "localhost", 1)
	w.url = "https://" + address
	w.configure(t, "2GiB")
	program := tool(t, "fandoghd")
	w.daemon, err = programs.Start(t.Context(), filepath.Join(w.dir, "fandoghd.log"), []string{"FANDOGH_WEBHOOKS_ALLOW_PRIVATE=true"}, program, "serve", "--config", w.config, "--data", w.data, "--http", address, "--ssh", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.daemon.Stop)
	err = w.daemon.Await(t.Context(), func() bool {
		answer, err := w.client.Get(w.url + "/readyz")
		return err == nil && answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
	})
	if err != nil {
		t.Fatal(err)
	}
	w.user = newUser(t, program, "admin", "--data", w.data)
	w.token = w.user.token(t)
	command(t, "", nil, program, "admin", "--data", w.data, "user", "promote", "ann")
	command(t, "", nil, program, "admin", "--data", w.data, "backup", filepath.Join(w.dir, "backups"))
	if err := os.WriteFile(filepath.Join(w.dir, "fandogh-token"), []byte(w.token), 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

// configure writes the daemon's configuration, with the space that is to be left on its disk.
func (w *watched) configure(t *testing.T, free string) {
	t.Helper()
	text := fmt.Sprintf("disk: {min_free: %s, max_used: 100}\nhttp: {tls: {cert: %[2]s/cert.pem, key: %[2]s/key.pem}}\n", free, w.dir)
	if err := os.WriteFile(w.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// prometheus starts one by the configuration that the manual shows, beside what the test needs.
func (w *watched) prometheus(t *testing.T) {
	t.Helper()
	shown := regexp.MustCompile(`(?m)^    scrape_configs:\n(?:    .*\n)+`).FindString(read(t, "../docs/operations.md"))
	for from, to := range map[string]string{
		"/etc/prometheus/fandogh-token": filepath.Join(w.dir, "fandogh-token"),
		"images.example.com:8080":       strings.TrimPrefix(w.url, "https://"),
		"job_name: fandogh\n":           "job_name: fandogh\n        scheme: https\n        tls_config: {ca_file: " + w.dir + "/cert.pem}\n",
	} {
		if !strings.Contains(shown, from) {
			t.Fatalf("docs/operations.md shows no %q in\n%s", from, shown)
		}
		shown = strings.Replace(shown, from, to, 1)
	}
	alerts, err := filepath.Abs("prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(w.dir, "prometheus.yml")
	text := "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\nrule_files: [" + alerts + "]\n" + strings.ReplaceAll(shown, "\n    ", "\n")[4:]
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	address, err := programs.FreeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, w.dir, "prometheus", "--config.file="+file, "--storage.tsdb.path="+w.dir+"/tsdb", "--web.listen-address="+address, "--log.level=warn")
	t.Cleanup(p.Stop)
	w.asked = "http://" + address
	if err := p.Await(t.Context(), func() bool { return answers(t.Context(), w.asked+"/-/ready") }); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the daemon is scraped", func() bool { return w.knows(t, `up{job="fandogh"} == 1`) })
}

// something has the daemon count something of each kind: builds and pushes that succeed and fail, requests on a disk that is nearly
// full, a webhook that nobody takes.
func (w *watched) something(t *testing.T, tag string) {
	t.Helper()
	_, ssh := addresses(w.data)
	w.user.push(t, w.user.app(t, "app"+tag, ssh), tag)
	broken := w.user.app(t, "broken"+tag, ssh, "RUN exit 3")
	command(t, broken, w.user.gitEnv, "git", "tag", tag)
	if _, err := programs.Command(t.Context(), broken, w.user.gitEnv, "git", "push", "-q", "fandogh", tag); err == nil {
		t.Error("a step that fails was built")
	}
	for _, r := range [][3]string{{http.MethodPost, "/api/namespaces/ann/webhooks", `{"url":"http://127.0.0.1:1/` + tag + `"}`}, {http.MethodDelete, "/api/images/app" + tag + "/versions/" + tag, ""}} {
		if status := w.send(t, r[0], r[1], r[2]); status != http.StatusOK {
			t.Errorf("%s %s: status %d", r[0], r[1], status)
		}
	}
	w.configure(t, "4PiB")
	w.reload(t, http.StatusServiceUnavailable)
	w.configure(t, "2GiB")
	w.reload(t, http.StatusOK)
}

// reload has the daemon read its configuration again, until it is ready or not.
func (w *watched) reload(t *testing.T, status int) {
	t.Helper()
	if err := w.daemon.Cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the disk's limits have changed", func() bool { return w.send(t, http.MethodGet, "/readyz", "") == status })
}

// send sends a request, and returns the status of the answer.
func (w *watched) send(t *testing.T, method, path, body string) (status int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+w.token)
	answer, err := w.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close() // nothing of it is of use
	return answer.StatusCode
}

// knows reports whether an expression finds something that is a number.
func (w *watched) knows(t *testing.T, expression string) bool {
	t.Helper()
	var found struct {
		Status, Error string
		Data          struct {
			Result []struct {
				Value [2]any // time and value
			}
		}
	}
	w.ask(t, "/api/v1/query?query="+url.QueryEscape(expression), &found)
	if found.Status != "success" {
		t.Fatalf("%s: %s", expression, found.Error)
	}
	for _, r := range found.Data.Result {
		value, err := strconv.ParseFloat(r.Value[1].(string), 64)
		if err == nil && !math.IsNaN(value) {
			return true
		}
	}
	return false
}

// ask asks Prometheus' API.
func (w *watched) ask(t *testing.T, path string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(command(t, "", nil, "curl", "-sS", w.asked+path)), into); err != nil {
		t.Fatal(err)
	}
}

// dashboard returns the expressions of the dashboard by what they are for.
func dashboard(t *testing.T) map[string]string {
	t.Helper()
	type targets []struct{ Expr string }
	var board struct {
		Panels []struct {
			Title   string
			Targets targets
		}
		Annotations struct {
			List []struct{ Name, Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "grafana/fandogh.json")), &board); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, p := range board.Panels {
		for i, target := range p.Targets {
			all[fmt.Sprintf("%s %d", p.Title, i)] = target.Expr
		}
	}
	for _, a := range board.Annotations.List {
		all[a.Name] = strings.TrimSuffix(a.Expr, " > 0") // the daemon was started once
	}
	if len(all) < 20 {
		t.Fatalf("saw only %d expressions", len(all))
	}
	return all
}

// faults are what alerts look for and no healthy daemon has; the value of a label beside what it is in the code.
var faults = map[string]string{`outcome="infrastructure"`: string(catalog.OutcomeInfrastructure)}

// alerts wants Prometheus to evaluate every rule, and each series that a rule names to be there.
func (w *watched) alerts(t *testing.T) {
	var loaded struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	eventually(t, "all rules are evaluated", func() bool {
		w.ask(t, "/api/v1/rules", &loaded)
		for _, r := range loaded.Data.Groups[0].Rules {
			if r.Health == "err" {
				t.Fatalf("%s: %s", r.Name, r.LastError)
			}
			if r.Health != "ok" {
				return false
			}
		}
		return true
	})
	var file struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "prometheus/alerts.yml")), &file); err != nil {
		t.Fatal(err)
	}
	rules := file.Groups[0].Rules
	if len(rules) < 10 || len(rules) != len(loaded.Data.Groups[0].Rules) {
		t.Fatalf("%d rules are loaded of %d", len(loaded.Data.Groups[0].Rules), len(rules))
	}
	for _, rule := range rules {
		expression, err := parser.ParseExpr(rule.Expr)
		if err != nil {
			t.Fatal(err)
		}
		parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
			selector, is := node.(*parser.VectorSelector)
			if !is {
				return nil
			}
			series := selector.String()
			for fault, value := range faults {
				if strings.Contains(series, fault) && strings.Contains(fault, `"`+value+`"`) {
					series = strings.Replace(series, fault, "", 1)
				}
			}
			eventually(t, rule.Alert+": "+series, func() bool { return w.knows(t, series) })
			return nil
		})
	}
}
