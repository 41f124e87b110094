package catalog

import (
	"context"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// SubmoduleSource is where the commit of a submodule is.
type SubmoduleSource struct {
	URL   string       // without secrets: relative URLs in the submodule's own .gitmodules are taken from it
	Image ImageRef     // of this server; zero: elsewhere, by Fetch
	Fetch FetchRequest // without an Object
}

// SubmoduleAccess says how a tree gets what its submodules have.
type SubmoduleAccess struct {
	// Find returns where the submodule of a URL is, which base is the URL of the repository whose commit names it, "" for the
	// tree's own. Errors: Invalid (the URL, or it is of no use to this tree).
	Find func(ctx context.Context, base, url string) (SubmoduleSource, error)
	// Say takes a line for the build's log.
	Say func(line string)
}

// scpLike is how git writes ssh URLs in short: user@host:path.
var scpLike = regexp.MustCompile(`^(?:([^@/:\[\]]+)@)?(\[[0-9a-fA-F:]+\]|[^/:\[\]]+):(.*)$`)

// ParseGitURL reads the URL of a repository, also the short form of ssh. Errors: Invalid, for what is no URL
// of a repository elsewhere, and what git has been made to run programs by.
func ParseGitURL(text string) (*url.URL, error) {
	bad := func(why string) (*url.URL, error) {
		return nil, FieldErrorf("url", "%s", why)
	}
	switch {
	case text == "":
		return bad("its URL is empty")
	case strings.HasPrefix(text, "-"):
		return bad("its URL begins with -, like an option of a command")
	case strings.ContainsFunc(text, isControl) || strings.Contains(text, `\`):
		return bad("its URL contains a control character or a backslash")
	}
	if !strings.Contains(text, "://") {
		parts := scpLike.FindStringSubmatch(text)
		if parts == nil || strings.HasPrefix(parts[3], ":") {
			return bad("its URL is a path on some machine; only https:// and ssh:// URLs are fetched")
		}
		text = "ssh://" + parts[2] + "/" + strings.TrimPrefix(parts[3], "/")
		if parts[1] != "" {
			text = "ssh://" + parts[1] + "@" + strings.TrimPrefix(text, "ssh://")
		}
	}
	u, err := url.Parse(text)
	if err != nil {
		return bad("its URL is not valid")
	}
	password, _ := u.User.Password()
	switch u.Scheme {
	case "https", "http", "ssh", "git", "git+ssh", "ssh+git":
	default:
		return bad("its URL has the scheme " + u.Scheme + "; only https:// and ssh:// URLs are fetched")
	}
	if u.Hostname() == "" || strings.HasPrefix(u.Host, "-") || strings.HasPrefix(u.User.Username(), "-") || strings.Trim(u.Path, "/") == "" {
		return bad("its URL names no host, or no repository")
	}
	if strings.ContainsFunc(u.Host+u.Path+u.User.Username()+password, isControl) {
		return bad("its URL contains a control character")
	}
	return u, nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// ResolveGitURL is ParseGitURL for what may be relative to base, by "./" and "../". Errors: Invalid.
func ResolveGitURL(base, text string) (*url.URL, error) {
	if !strings.HasPrefix(text, "./") && !strings.HasPrefix(text, "../") {
		return ParseGitURL(text)
	}
	u, err := ParseGitURL(base)
	if err != nil {
		return nil, err
	}
	if strings.ContainsFunc(text, isControl) {
		return nil, FieldErrorf("url", "its URL contains a control character")
	}
	rest, at := text, strings.Trim(u.Path, "/")
	for {
		if after, ok := strings.CutPrefix(rest, "./"); ok {
			rest = after
			continue
		}
		after, ok := strings.CutPrefix(rest, "../")
		if !ok {
			break
		}
		if at == "" {
			return nil, FieldErrorf("url", "its URL %s leads out of the host of %s", text, u.Host)
		}
		if rest, at = after, path.Dir(at); at == "." {
			at = ""
		}
	}
	resolved := *u
	resolved.RawPath, resolved.Path = "", "/"+strings.Trim(path.Join(at, strings.Trim(rest, "/")), "/")
	if strings.HasPrefix(resolved.Path, "/..") {
		return nil, FieldErrorf("url", "its URL %s leads out of the host of %s", text, u.Host)
	}
	return ParseGitURL(resolved.String())
}
