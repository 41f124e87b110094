package egress_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/egress"
)

// The machine's own public address reaches services that a firewall keeps from other machines.
func TestOwnPublicAddressIsRefused(t *testing.T) {
	const own = "11.22.33.44"
	ip := func(action string) {
		if out, err := exec.Command("ip", "address", action, own+"/32", "dev", "lo").CombinedOutput(); err != nil {
			t.Fatalf("ip address %s: %v: %s", action, err, out)
		}
	}
	ip("add")
	defer ip("del")
	listener, err := net.Listen("tcp", own+":0")
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }), ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(listener) }()
	defer server.Close() //nolint:errcheck // nothing is left open
	url := "http://" + listener.Addr().String()
	if _, err := get(egress.Client(egress.Policy{}), url); catalog.CodeOf(err) != catalog.Forbidden {
		t.Errorf("not allowed: %v", err)
	}
	if asked != 0 {
		t.Error("the request arrived")
	}
	if status, err := get(egress.Client(egress.Policy{Private: true}), url); err != nil || status != http.StatusOK {
		t.Errorf("allowed: %d, %v", status, err)
	}
}

func TestOrigin(t *testing.T) {
	for text, want := range map[string]string{
		"https://GitHub.com:443/a": "https://github.com", "http://h:80": "http://h", "http://h:443/": "http://h:443", "https://u@h:8443/x?y": "https://h:8443",
	} {
		u, err := url.Parse(text)
		if err != nil || egress.Origin(u) != want {
			t.Errorf("%s: got %s, %v", text, egress.Origin(u), err)
		}
	}
}

func get(client *http.Client, url string) (int, error) {
	response, err := client.Get(url)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

func TestClient(t *testing.T) {
	asked := 0
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer inside.Close()
	var target string
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, target, http.StatusFound)
		}
	}))
	defer outside.Close()
	target = inside.URL

	public := egress.Client(egress.Policy{})
	if _, err := get(public, inside.URL); catalog.CodeOf(err) != catalog.Forbidden {
		t.Errorf("loopback, not allowed: %v", err)
	}
	named := egress.Client(egress.Policy{Private: true, Origins: []string{outside.URL}})
	if status, err := get(named, outside.URL); err != nil || status != http.StatusOK {
		t.Errorf("allowed: %d, %v", status, err)
	}
	for what, address := range map[string]string{"another host": inside.URL, "a redirect to another host": outside.URL + "/away"} {
		if _, err := get(named, address); catalog.CodeOf(err) != catalog.Forbidden {
			t.Errorf("%s: %v", what, err)
		}
	}
	if status, err := get(egress.Client(egress.Policy{Private: true}), outside.URL+"/away"); err != nil || status != http.StatusFound {
		t.Errorf("a redirect is not followed: %d, %v", status, err)
	}
	target = outside.URL
	if status, err := get(named, outside.URL+"/away"); err != nil || status != http.StatusOK {
		t.Errorf("a redirect within: %d, %v", status, err)
	}
	if asked != 0 {
		t.Errorf("%d forbidden requests arrived", asked)
	}
}
