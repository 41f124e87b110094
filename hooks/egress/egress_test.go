package egress_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/hooks/egress"
)

func TestPublic(t *testing.T) {
	for address, want := range map[string]bool{
		"140.82.121.3": true, "8.8.8.8": true, "2606:50c0:8000::64": true, "::ffff:8.8.8.8": true,
		"127.0.0.1": false, "127.8.8.8": false, "0.0.0.0": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false,
		"169.254.169.254": false, "100.64.0.1": false, "192.0.0.8": false, "198.18.0.1": false, "224.0.0.1": false, "240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "::ffff:127.0.0.1": false, "::127.0.0.1": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd12::1": false,
		"64:ff9b::7f00:1": false, "64:ff9b::a9fe:a9fe": false, "2002:7f00:1::": false, "2001:db8::1": false, "ff02::1": false,
	} {
		if got := egress.Public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: got %v, want %v", address, got, want)
		}
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
