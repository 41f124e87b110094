package buildkit

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
)

// A build takes images, files and repositories from servers. Whose fault it is when
// one does not give them, follows from how far it came:
//
//	no answer, no such name, 429, 5xx   infrastructure; tried again later
//	every other status of 400 and more  the user's: it is not there, or not for them
//
// A name that does not resolve may be a typing error. It looks the same while a
// network or its name server is down, and a build must not fail for good by that.
type remoteFailure struct {
	server string // host:port, or what else tells it
	status int    // of its answer; 0: there was none
	cause  string // why there was none
	image  string // that was asked for, without its registry; empty: something else
}

// What Go's HTTP client, BuildKit's sources and git say, after rootText.
var (
	unanswered  = regexp.MustCompile(`^(?:Head|Get|Post) "([^"]+)": (.+)$`)
	badStatus   = regexp.MustCompile(`^unexpected status(?: code| from [A-Z]+ request to) (\S+): (\d{3})\b`)
	addStatus   = regexp.MustCompile(`^invalid response status (\d{3})$`)
	gitTrouble  = regexp.MustCompile(`(?s)^failed to fetch remote (\S+): git stderr:\n(.*)`)
	gitNoAccess = regexp.MustCompile(`(?m)^fatal: unable to access '[^']*': (.+)$`)
	gitStatus   = regexp.MustCompile(`^The requested URL returned error: (\d{3})`)
	sshNoAccess = regexp.MustCompile(`(?m)^ssh: ((?:connect to host|Could not resolve hostname) .+)$`)
	manifestURL = regexp.MustCompile(`^/v2/(.+)/(manifests|blobs)/([^/]+)$`)
)

// remoteFailureOf reads the text of an error; nil: it is about no server.
func remoteFailureOf(text string, failed *step) *remoteFailure {
	if m := unanswered.FindStringSubmatch(text); m != nil {
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
	} else {
		return nil // git was answered, and says what is wrong
	}
	return f
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
		return "the registry " + u.Host
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
		who += ", asked for " + f.image + ","
	}
	if f.status == 0 {
		return who + " does not answer: " + f.cause
	}
	answer := fmt.Sprintf("%s answers %s", who, strings.TrimSpace(fmt.Sprintf("%d %s", f.status, http.StatusText(f.status))))
	if f.image != "" && (f.status == http.StatusUnauthorized || f.status == http.StatusForbidden) {
		answer += ": this builder has no right to the image"
	}
	return answer
}
