package catalog_test

import (
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

func TestResolveGitURL(t *testing.T) {
	const base = "https://git.example.com/acme/app.git"
	for _, c := range []struct{ base, url, want string }{
		{base, "https://other.example.com/lib.git", "https://other.example.com/lib.git"},
		{base, "git@other.example.com:acme/lib.git", "ssh://git@other.example.com/acme/lib.git"},
		{base, "other.example.com:acme/lib", "ssh://other.example.com/acme/lib"},
		{base, "ssh://git@other.example.com:2222/acme/lib", "ssh://git@other.example.com:2222/acme/lib"},
		{base, "git://other.example.com/lib", "git://other.example.com/lib"},
		{base, "../lib.git", "https://git.example.com/acme/lib.git"},
		{base, "./../lib.git/", "https://git.example.com/acme/lib.git"},
		{base, "../../other/lib", "https://git.example.com/other/lib"},
		{base, "./sub.git", "https://git.example.com/acme/app.git/sub.git"},
		{base + "/", "../lib", "https://git.example.com/acme/lib"},
		{"git@git.example.com:acme/app.git", "../lib", "ssh://git@git.example.com/acme/lib"},
		{"git@git.example.com:app.git", "../lib", "ssh://git@git.example.com/lib"},
		{"ssh://git@127.0.0.1:2222/ali/shop", "../lib", "ssh://git@127.0.0.1:2222/ali/lib"},
	} {
		got, err := catalog.ResolveGitURL(c.base, c.url)
		if err != nil || got.String() != c.want {
			t.Errorf("%s from %s is %v, %v; want %s", c.url, c.base, got, err, c.want)
		}
	}
}

// TestNoGitURL has what git itself was once made to run programs, or to read or write files, by.
func TestNoGitURL(t *testing.T) {
	for _, url := range []string{
		"",
		"-u./payload",                            // CVE-2018-17456: an option of git clone
		"--upload-pack=touch /tmp/x",             //
		"ssh://-oProxyCommand=touch/x",           // CVE-2017-1000117: an option of ssh
		"-oProxyCommand=touch:x",                 //
		"ssh://-oProxyCommand=touch@host/x",      //
		"ext::sh -c touch% /tmp/x",               // a program as a transport
		"fd::3",                                  //
		"file:///etc",                            // CVE-2022-39253, CVE-2024-32004: repositories of this machine
		"/etc",                                   //
		"C:\\x\n",                                //
		"../../../../etc",                        // out of the host
		"./../../../x",                           //
		"https://host.example/a\nhost=evil",      // CVE-2020-5260: a line for a credential helper
		"https://host.example/a%0ahost=evil",     //
		"https://host.example%0aevil/a",          //
		"https://us%0der:x@host.example/a",       // CVE-2024-52006: a carriage return
		"https://host.example/a\r",               // CVE-2025-48384
		"https:///a",                             // CVE-2020-11008: no host
		"https://host.example",                   //
		"http:\\\\host\\a",                       //
		"javascript://x/y",                       //
		"https://host.example/a\x00b",            //
		"ssh://git@host:port/x",                  //
		"ssh://user@-host/x",                     //
		"../lib\n[core]sshCommand=touch",         //
		"..\\lib",                                //
		"./" + strings.Repeat("../", 50) + "etc", //
	} {
		if u, err := catalog.ResolveGitURL("https://git.example.com/acme/app.git", url); catalog.CodeOf(err) != catalog.Invalid {
			t.Errorf("%q became %v, %v", url, u, err)
		}
	}
}

func FuzzResolveGitURL(f *testing.F) {
	f.Add("https://git.example.com/acme/app.git", "../lib.git")
	f.Add("git@git.example.com:app", "./../..//a")
	f.Fuzz(func(t *testing.T, base, text string) {
		u, err := catalog.ResolveGitURL(base, text)
		if err != nil {
			if catalog.CodeOf(err) != catalog.Invalid {
				t.Fatal(err)
			}
			return
		}
		if strings.HasPrefix(text, ".") && !strings.Contains(text, ":") {
			from, err := catalog.ParseGitURL(base)
			if err != nil || from.Host != u.Host || from.Scheme != u.Scheme {
				t.Errorf("%q from %q became %q: another host", text, base, u)
			}
		}
		if _, err := catalog.ParseGitURL(u.String()); err != nil {
			t.Errorf("%q from %q became %q, which is no URL: %v", text, base, u, err)
		}
	})
}
