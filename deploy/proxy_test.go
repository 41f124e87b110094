//go:build deploy

package deploy

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/internal/programs"
)

// proxies start each proxy at a public address, before an HTTP address, by the configuration that is here for it.
var proxies = map[string]func(t *testing.T, dir, public, behind string) *programs.Process{
	"caddy": startCaddy,
	"nginx": startNginx,
}

// TestProxies uses a daemon by each proxy that Debian has.
func TestProxies(t *testing.T) {
	for name, start := range proxies {
		t.Run(name, func(t *testing.T) {
			p := newProxied(t)
			proxy := start(t, p.dir, p.public, p.behind)
			t.Cleanup(proxy.Stop)
			err := proxy.Await(t.Context(), func() bool {
				answer, err := p.client.Get(p.url + "/readyz")
				return err == nil && answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Run("log", p.followedLog)
			t.Run("addresses", p.addresses)
			t.Run("lfs", p.largeFiles)
			t.Run("images", p.images)
		})
	}
}

// proxied is a daemon behind a proxy.
type proxied struct {
	dir, data, log string
	public, behind string // host:port of the proxy, and of the daemon
	url            string // of the proxy
	env            []string
	client         *http.Client
	user           *user
	token          string
}

func newProxied(t *testing.T) *proxied {
	t.Helper()
	p := &proxied{dir: t.TempDir()}
	p.data, p.log = filepath.Join(p.dir, "data"), filepath.Join(p.dir, "fandoghd.log")
	for _, address := range []*string{&p.public, &p.behind} {
		var err error
		if *address, err = programs.FreeAddress(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	p.public = strings.Replace(p.public, "127.0.0.1", "localhost", 1)
	p.url = "https://" + p.public
	var certificate string
	certificate, p.client = newCertificate(t, p.dir)
	p.env = []string{"SSL_CERT_FILE=" + certificate, "DOCKER_CONFIG=" + p.dir, "GIT_SSL_CAINFO=" + certificate, "TMPDIR=" + p.dir}

	program := tool(t, "fandoghd")
	env := []string{"FANDOGH_HTTP_PUBLIC_URL=" + p.url, "FANDOGH_HTTP_TRUSTED_PROXIES=127.0.0.1,::1"}
	daemon, err := programs.Start(t.Context(), p.log, env, program, "serve", "--data", p.data, "--http", p.behind, "--ssh", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(daemon.Stop)
	awaitReady(t, daemon, p.data)
	p.user = newUser(t, program, "admin", "--data", p.data)
	p.token = p.user.token(t)
	command(t, p.dir, append(p.env, "HOME="+p.dir), "sh", "-c", `printf %s "$1" | "$2" auth login "$3" -u ann --password-stdin`, "sh", p.token, tool(t, "crane"), p.public)
	return p
}

// newCertificate makes cert.pem and key.pem of localhost, and a client that trusts it.
func newCertificate(t *testing.T, dir string) (file string, client *http.Client) {
	t.Helper()
	file = filepath.Join(dir, "cert.pem")
	command(t, dir, nil, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", file)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(read(t, file)))
	return file, &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}}
}

// adapt writes a configuration with the addresses and files of the test in place of those that are to be changed.
func adapt(t *testing.T, from, to string, changes ...string) {
	t.Helper()
	text := read(t, from)
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(text, changes[i]) {
			t.Fatalf("%s lacks %q", from, changes[i])
		}
		text = strings.ReplaceAll(text, changes[i], changes[i+1])
	}
	if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func startCaddy(t *testing.T, dir, public, behind string) *programs.Process {
	t.Helper()
	file := filepath.Join(dir, "Caddyfile")
	adapt(t, "caddy/Caddyfile", file, "\nimages.example.com {", "\n{\n\tadmin off\n\tauto_https disable_redirects\n}\n"+public+" {\n\ttls "+dir+"/cert.pem "+dir+"/key.pem", "127.0.0.1:8080 {", behind+" {")
	return start(t, dir, "caddy", "run", "--adapter", "caddyfile", "--config", file)
}

func startNginx(t *testing.T, dir, public, behind string) *programs.Process {
	t.Helper()
	_, port, _ := strings.Cut(public, ":")
	adapt(t, "nginx/fandogh.conf", filepath.Join(dir, "site.conf"), "listen 443", "listen "+port, "server 127.0.0.1:8080", "server "+behind, "server_name images.example.com", "server_name localhost",
		"/etc/ssl/images.example.com.pem", dir+"/cert.pem", "/etc/ssl/images.example.com.key", dir+"/key.pem")
	main := "user root;\ndaemon off;\npid " + dir + "/pid;\nerror_log stderr;\nevents {}\nhttp {\n"
	for _, kept := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		main += kept + "_temp_path " + dir + "/" + kept + ";\n"
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(main+"access_log off;\ninclude "+dir+"/site.conf;\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, dir, "nginx", "-c", file)
}

func start(t *testing.T, dir, name string, args ...string) *programs.Process {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%v; `make deploy-test` installs it", err)
	}
	p, err := programs.Start(t.Context(), filepath.Join(dir, name+".log"), []string{"HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// images pushes and pulls one with a layer of 300 MB.
func (p *proxied) images(t *testing.T) {
	crane := tool(t, "crane")
	command(t, p.dir, nil, "sh", "-c", "mkdir big && head -c 300000000 /dev/urandom >big/file && tar -cf big.tar big && rm -r big")
	ref := p.public + "/ann/big:v1"
	command(t, p.dir, p.env, crane, "append", "--oci-empty-base", "-f", "big.tar", "-t", ref)
	digest := command(t, p.dir, p.env, crane, "digest", ref)
	command(t, p.dir, p.env, "skopeo", "copy", "-q", "--authfile", p.dir+"/config.json", "docker://"+ref, "oci:"+p.dir+"/pulled:v1")
	if index := read(t, p.dir+"/pulled/index.json"); !strings.Contains(index, digest) {
		t.Errorf("pulled %s, want %s", index, digest)
	}
	// skopeo pushes otherwise than crane: it asks for layers first and sends them in one request each.
	command(t, p.dir, p.env, "skopeo", "copy", "-q", "--authfile", p.dir+"/config.json", "oci:"+p.dir+"/pulled:v1", "docker://"+p.public+"/ann/again:v1")
	if again := command(t, p.dir, p.env, crane, "digest", p.public+"/ann/again:v1"); again != digest {
		t.Errorf("pushed again it is %s, want %s", again, digest)
	}
	command(t, p.dir, nil, "rm", "-r", "big.tar", "pulled")
}

// followedLog wants a line before the next one is written.
func (p *proxied) followedLog(t *testing.T) {
	_, ssh := addresses(p.data)
	app := p.user.app(t, "app", ssh, "COPY busybox /bin/sleep", "RUN for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep 1; done")
	command(t, app, p.user.gitEnv, "git", "tag", "v1")
	pushed := make(chan error, 1)
	go func() {
		_, err := programs.Command(t.Context(), app, p.user.gitEnv, "git", "push", "-q", "fandogh", "v1")
		pushed <- err
	}()
	version := "/api/images/app/versions/v1"
	eventually(t, "the build exists", func() bool { return strings.Contains(p.get(t, version), `"BUILDING"`) })
	request := p.request(t, http.MethodGet, version+"/builds/1/log", nil)
	request.Header.Set("Accept", "text/event-stream")
	answer, err := p.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // it was read
	seen, stillBuilding := 0, 0
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if !strings.Contains(lines.Text(), "| line ") {
			continue
		}
		seen++
		if strings.Contains(p.get(t, version), `"BUILDING"`) {
			stillBuilding++
		}
	}
	if err := <-pushed; err != nil {
		t.Fatal(err)
	}
	if seen != 8 || stillBuilding < 6 {
		t.Errorf("%d lines came, %d of them while the build ran", seen, stillBuilding)
	}
}

// largeFiles pushes and clones by git-lfs over HTTPS, and looks at the addresses that it is given.
func (p *proxied) largeFiles(t *testing.T) {
	_, ssh := addresses(p.data)
	app := p.user.app(t, "large", ssh)
	lfs := "https://ann:" + p.token + "@" + p.public + "/ann/large.git/info/lfs"
	env := append(append([]string{"HOME=" + p.dir}, p.user.gitEnv...), p.env...)
	command(t, app, env, "sh", "-ec", `git lfs install --local --skip-smudge >/dev/null; git config lfs.url "$1"; git lfs track -q '*.bin' || git lfs track '*.bin' >/dev/null
		head -c 20000000 /dev/urandom >a.bin; git add -A; git commit -qm large; git tag v1; git push -q fandogh v1`, "sh", lfs)
	command(t, app, env, "sh", "-ec", `rm -r .git/lfs/objects; sha256sum a.bin >../sum; git lfs fetch -q origin v1 2>/dev/null || git lfs fetch fandogh v1 >/dev/null; rm a.bin; git lfs checkout a.bin >/dev/null || git checkout a.bin; git lfs pull fandogh >/dev/null; sha256sum -c ../sum`)
	oid := command(t, app, env, "sh", "-c", `git lfs ls-files -l | cut -d' ' -f1`)
	body := strings.NewReader(`{"operation":"download","transfers":["basic"],"objects":[{"oid":"` + oid + `","size":20000000}]}`)
	request := p.request(t, http.MethodPost, "/ann/large.git/info/lfs/objects/batch", body)
	request.SetBasicAuth("ann", p.token)
	request.Header.Set("Accept", "application/vnd.git-lfs+json")
	request.Header.Set("Content-Type", "application/vnd.git-lfs+json")
	said := p.do(t, request)
	if !strings.Contains(said, `"href":"`+p.url+"/ann/large") || strings.Contains(said, p.behind) {
		t.Errorf("LFS is told %s", said)
	}
}

// addresses looks at what else names the server, and at whose address is believed.
func (p *proxied) addresses(t *testing.T) {
	request := p.request(t, http.MethodPost, "/v2/ann/new/blobs/uploads/", nil)
	request.SetBasicAuth("ann", p.token)
	answer, err := p.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close() // empty
	if at := answer.Header.Get("Location"); answer.StatusCode != http.StatusAccepted || !strings.HasPrefix(at, "/v2/") && !strings.HasPrefix(at, p.url+"/v2/") {
		t.Errorf("an upload goes to %q, status %d", at, answer.StatusCode)
	}
	request = p.request(t, http.MethodGet, "/v2/", nil)
	request.Header.Del("Authorization")
	request.Header.Set("X-Forwarded-For", "203.0.113.9")
	if answer, err = p.client.Do(request); err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close() // of an error
	if realm := answer.Header.Get("WWW-Authenticate"); answer.StatusCode != http.StatusUnauthorized || strings.Contains(realm, p.behind) || strings.Contains(realm, "http://") {
		t.Errorf("a login is asked for by %q, status %d", realm, answer.StatusCode)
	}
	request = p.request(t, http.MethodGet, "/api/no-such-thing", nil)
	request.Header.Set("X-Forwarded-For", "203.0.113.9")
	p.do(t, request)
	if log := read(t, p.log); !strings.Contains(log, "path=/api/no-such-thing") || strings.Contains(log, "203.0.113.9") {
		t.Error("the request is not in the log, or the address that its client claims to have is")
	}
	if text := p.get(t, "/api/images/app/versions/v1"); !strings.Contains(text, p.public+"/ann/app:v1") || strings.Contains(text, p.behind) {
		t.Errorf("a version is said to be at %s", text)
	}
}

func (p *proxied) request(t *testing.T, method, path string, body io.Reader) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, p.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	return request
}

func (p *proxied) do(t *testing.T, request *http.Request) string {
	t.Helper()
	answer, err := p.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (p *proxied) get(t *testing.T, path string) string {
	t.Helper()
	return p.do(t, p.request(t, http.MethodGet, path, nil))
}
