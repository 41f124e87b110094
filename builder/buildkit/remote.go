package buildkit

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// A build takes images, files and repositories from servers. Whose fault it is when
// one does not give them, follows from how far it came:
//
//	no answer, no such name, 429, 5xx   infrastructure; tried again later
//	every other status of 400 and more  the user's: it is not there, or not for them
//	an address that builds may not reach  the user's
//
// A name that does not resolve may be a typing error. It looks the same while a
// network or its name server is down, and a build must not fail for good by that.
type remoteFailure struct {
	server string // host:port, or what else tells it
	status int    // of its answer; 0: there was none
	cause  string // why there was none
	image  string // that was asked for, without its registry; empty: something else
	port   string // of the server, for causes that do not have it
}

// What Go's HTTP client, BuildKit's sources and git say, after rootText.
var (
	unanswered  = regexp.MustCompile(`^(?:Head|Get|Post) "([^"]+)": (.+)$`)
	badStatus   = regexp.MustCompile(`^unexpected status(?: code| from [A-Z]+ request to) (\S+): (\d{3})\b`)
	addStatus   = regexp.MustCompile(`^invalid response status (\d{3})$`)
	gitTrouble  = regexp.MustCompile(`(?s)^(?:failed to fetch remote|error fetching default branch for repository) (\S+): git stderr:\n(.*)`)
	gitNoAccess = regexp.MustCompile(`(?m)^fatal: unable to access '[^']*': (.+)$`)
	gitStatus   = regexp.MustCompile(`^The requested URL returned error: (\d{3})`)
	gitNoConn   = regexp.MustCompile(`(?ms)^fatal: (unable to connect to \S+:\n.*)`)
	sshNoAccess = regexp.MustCompile(`(?m)^ssh: ((?:connect to host|Could not resolve hostname) .+)$`)
	manifestURL = regexp.MustCompile(`^/v2/(.+)/(manifests|blobs)/([^/]+)$`)
)

// remoteFailureOf reads the text of an error; nil: it is about no server.
func remoteFailureOf(text string, failed *step) *remoteFailure {
	if m := unanswered.FindStringSubmatch(text); m != nil && !strings.HasSuffix(m[2], ": invalid port") {
		return &remoteFailure{server: serverOf(m[1]), cause: m[2], image: imageOf(m[1])}
	}
	if m := badStatus.FindStringSubmatch(text); m != nil {
		return &remoteFailure{server: serverOf(m[1]), status: number(m[2]), image: imageOf(m[1])}
	}
	if m := addStatus.FindStringSubmatch(text); m != nil && failed != nil {
		return &remoteFailure{server: "the server of " + instruction(failed.Name), status: number(m[1])}
	}
	m := gitTrouble.FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	f := &remoteFailure{server: serverOf(m[1])}
	if access := gitNoAccess.FindStringSubmatch(m[2]); access != nil {
		if status := gitStatus.FindStringSubmatch(access[1]); status != nil {
			f.status = number(status[1])
		} else {
			f.cause = access[1]
		}
	} else if access := sshNoAccess.FindStringSubmatch(m[2]); access != nil {
		f.cause = access[1]
	} else if access := gitNoConn.FindStringSubmatch(m[2]); access != nil {
		f.cause, f.port = access[1], portOf(m[1])
	} else {
		return nil // git was answered, and says what is wrong
	}
	return f
}

// noWay finds in a cause which address a packet filter, or a router, did not let through:
// as Go, curl, git and ssh say it. curl has the name in the address's place, and no reason.
var noWay = []*regexp.Regexp{
	regexp.MustCompile(`\bdial tcp (\S+):(\d+): connect: (?:no route to host|network is unreachable|operation not permitted|cannot assign requested address)`),
	regexp.MustCompile(`^Failed to connect to (\S+) port (\d+)`),
	regexp.MustCompile(`\[\d+: ([^\]]+)\]: errno=No route to host()`),
	regexp.MustCompile(`^connect to host (\S+) port (\d+): No route to host`),
}

// refused returns the address that builds can't or may not reach, when that is why there
// was no answer; else the zero one.
func (f *remoteFailure) refused(refuses func(netip.AddrPort) bool) (none netip.AddrPort) {
	if f == nil || refuses == nil {
		return none
	}
	for _, pattern := range noWay {
		m := pattern.FindStringSubmatch(f.cause)
		if m == nil {
			continue
		}
		if m[2] == "" {
			m[2] = f.port
		}
		port, err := strconv.ParseUint(m[2], 10, 16)
		if err != nil {
			return none
		}
		for _, address := range lookup(strings.Trim(m[1], "[]")) {
			if to := netip.AddrPortFrom(address, uint16(port)); address.Is6() || refuses(to) {
				return to
			}
		}
	}
	return none
}

// lookup returns the address that a host is, or those of IPv4 that its name has:
// builds have no IPv6.
func lookup(host string) []netip.Addr {
	if address, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{address.Unmap()}
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
	if err != nil {
		return nil
	}
	for i := range found {
		found[i] = found[i].Unmap()
	}
	return found
}

const (
	lookupTimeout = 2 * time.Second
	gitPort       = "9418"
)

// portOf returns the port of a git:// address.
func portOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Port() != "" {
		return u.Port()
	}
	return gitPort
}

func number(text string) int {
	n, _ := strconv.Atoi(text) // it was matched as digits
	return n
}

// serverOf returns whose address it is.
func serverOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return address // "git@host:path"
	}
	if strings.HasPrefix(u.Path, "/v2/") {
		// A mirror is told whose it is.
		return "the registry " + cmp.Or(u.Query().Get("ns"), u.Host)
	}
	return "the server " + u.Host
}

func imageOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	m := manifestURL.FindStringSubmatch(u.Path)
	switch {
	case m == nil:
		return ""
	case m[2] == "blobs" || strings.Contains(m[3], ":"):
		return m[1]
	}
	return m[1] + ":" + m[3]
}

func (f *remoteFailure) outcome() catalog.Outcome {
	if f.status == 0 || f.status == http.StatusTooManyRequests || f.status >= 500 {
		return catalog.OutcomeInfrastructure
	}
	return catalog.OutcomeUserError
}

func (f *remoteFailure) message() string {
	who := f.server
	if f.image != "" {
		who += ", when asked for " + f.image + ","
	}
	if f.status == 0 {
		return who + " did not respond: " + f.cause
	}
	answer := fmt.Sprintf("%s responded %s", who, strings.TrimSpace(fmt.Sprintf("%d %s", f.status, http.StatusText(f.status))))
	if f.image != "" && (f.status == http.StatusUnauthorized || f.status == http.StatusForbidden) {
		answer += ": this builder has no access to the image"
	}
	return answer
}
