package buildkit

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	gateway "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc/codes"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkit/dockerfile"
	"github.com/fandoghpaas/fandogh/catalog"
)

// exitKilled is what a shell reports of a process that got SIGKILL.
const exitKilled = 137

// ours are texts of failures that are not the user's, for what no type and no
// server's answer tells. They are looked for outside of quotes, where names are the
// user's.
var ours = regexp.MustCompile(`(?i)no space left on device|disk quota exceeded|read-only file system|input/output error` +
	`|connection refused|connection reset|i/o timeout|tls handshake|transport is closing|no active session|error reading from server` +
	`|server misbehaving|temporary failure in name resolution|network is unreachable|no route to host|unexpected eof` +
	`|too many open files|too many requests|failed to push`)

// theirs are texts of what BuildKit refuses the user.
var theirs = regexp.MustCompile(`(?i)not found|pull access denied|insufficient_scope|no match for platform|not allowed|by policy|^digest mismatch|^failed to fetch remote|instruction that is not UTF-8|syntax error in pattern|^parse "|: invalid port$|^no SSH key "`)

// brokenArchive is how unpacking an archive of the user's ends that is none, or is cut off.
var brokenArchive = regexp.MustCompile(`(?i)(unexpected EOF|invalid (tar )?header|invalid checksum|corrupt input.*)$`)

// notStarted are the user's reasons why BuildKit did not start a process.
var notStarted = regexp.MustCompile(`^(unable to find (user|group)|working dir |failed to create working directory |.*(not a directory|no such file or directory|too many levels of symbolic links)$)`)

// quoted is what stands in quotes, a process's command above all.
var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

func unquoted(text string) string { return quoted.ReplaceAllString(text, "") }

// process is what BuildKit says before it says how a RUN ended.
var process = regexp.MustCompile(`^process "(?:[^"\\]|\\.)*" did not complete successfully: `)

// circumstances are what else is known of a solve that failed.
type circumstances struct {
	part    *part // of the build
	refuses func(netip.AddrPort) bool
	limits  limits
}

// outOfMemory is how BuildKit ends its report of a process when the kernel killed
// it, or one that it started, because memory ran out.
const outOfMemory = "cannot allocate memory"

// classify says why a solve failed, for the user and for the retry rule.
func classify(err error, view *progress, around circumstances) *builder.SolveError {
	var decided *builder.SolveError
	if errors.As(err, &decided) {
		return decided
	}
	var unread *treeError
	if errors.As(err, &unread) {
		return unreadable(err, fmt.Sprintf("the builder failed to read %s of this commit", unread.name))
	}
	text := rootText(err)
	failed := view.failed(around.part.number, failedVertex(err))
	where, excerpt := sourceLocation(err)
	result := &builder.SolveError{Err: err}
	subject := text
	var exit *gateway.ExitError
	if errors.As(err, &exit) && failed != nil {
		subject = fmt.Sprintf("%s: %s", instruction(failed.Name), exitText(exit, text))
	}
	remote := remoteFailureOf(text, failed)
	if refused := remote.refused(around.refuses); refused.IsValid() {
		result.Outcome, subject = catalog.OutcomeUserError, refusal(refused)
	} else if remote != nil {
		result.Outcome, subject = remote.outcome(), remote.message()
		if result.Outcome == catalog.OutcomeInfrastructure {
			result.Retry = builder.RetryLater
		}
	} else {
		result.Outcome = outcomeOf(err, text, where != "", failed)
	}
	limited := ""
	if exit != nil {
		result.Outcome, limited = around.limits.exceeded(result.Outcome)
	}
	switch {
	case limited != "":
		subject += limited
	case failed != nil && failed.diskFull:
		result.Outcome, result.Retry = catalog.OutcomeInfrastructure, builder.RetryLater
		subject = "the builder's disk is full; " + subject
	case result.Outcome == catalog.OutcomeInfrastructure && result.Retry != builder.RetryLater:
		subject = "the builder failed: " + subject
	case exit != nil && failed != nil && failed.printed(wrongFormat):
		subject += ": " + around.part.wrongFormat(failed.Platform)
	}
	if where != "" && result.Outcome != catalog.OutcomeInfrastructure {
		subject = where + ": " + subject
	}
	result.Message = oneLine(subject)
	result.Detail = excerpt
	if failed != nil && len(failed.tail) > 0 {
		result.Detail = append(result.Detail, fmt.Sprintf("last output of %s:", failed.Name))
		for _, line := range failed.tail {
			result.Detail = append(result.Detail, "  "+line)
		}
	}
	return result
}

// refusal says why a build can't connect to an address.
func refusal(to netip.AddrPort) string {
	if to.Addr().Is6() {
		return fmt.Sprintf("builds can't connect to %s: they have no IPv6; use a name or an IPv4 address", to)
	}
	return fmt.Sprintf("builds may not connect to %s: it is an address of the builder's machine or of a private network; the server's administrator can allow it in builder.network.allow", to)
}

func outcomeOf(err error, text string, placed bool, failed *step) catalog.Outcome {
	var mistake *dockerfile.MistakeError
	if errors.As(err, &mistake) {
		return catalog.OutcomeUserError
	}
	switch grpcerrors.Code(err) {
	case codes.Unavailable, codes.Canceled, codes.DeadlineExceeded, codes.DataLoss:
		return catalog.OutcomeInfrastructure
	}
	if process.MatchString(text) {
		return outcomeOfRun(err, process.ReplaceAllString(text, ""))
	}
	switch {
	case failed != nil && strings.HasPrefix(failed.Name, "exporting to "):
		return catalog.OutcomeInfrastructure
	case placed && failed != nil && brokenArchive.MatchString(text) && strings.HasPrefix(instruction(failed.Name), "ADD "):
		return catalog.OutcomeUserError
	case ours.MatchString(unquoted(text)), lostCache.MatchString(unquoted(text)):
		return catalog.OutcomeInfrastructure
	case placed, theirs.MatchString(text):
		return catalog.OutcomeUserError
	}
	return catalog.OutcomeInfrastructure
}

// outcomeOfRun tells the outcome of a RUN by how BuildKit says it ended: with an exit code of the
// process, or without a process.
func outcomeOfRun(err error, ended string) catalog.Outcome {
	var exit *gateway.ExitError
	isExit := errors.As(err, &exit)
	switch {
	case isExit && ended == outOfMemory:
		return catalog.OutcomeOutOfMemory
	case isExit && ended == exitCode(exit):
		return catalog.OutcomeUserError
	case !isExit && notStarted.MatchString(ended):
		return catalog.OutcomeUserError
	}
	return catalog.OutcomeInfrastructure
}

func exitCode(exit *gateway.ExitError) string { return fmt.Sprintf("exit code: %d", exit.ExitCode) }

// wrongFormat is what the kernel says of a program for another machine.
const wrongFormat = "exec format error"

// wrongFormat says what a program may be for that the kernel did not start, in a step that is of a platform, or
// of the only one for "".
func (p *part) wrongFormat(of string) string {
	if of == "" && len(p.platforms) == 1 {
		of = formatAll(p.platforms)[0]
	}
	if of != "" && of != p.own() {
		return fmt.Sprintf("%s: this image is for %s, but the builder runs programs for %s", wrongFormat, of, p.own())
	}
	return fmt.Sprintf("%s: the step starts a program that is not built for %s, or a script without #!", wrongFormat, p.own())
}

// failedVertex returns the digest of the vertex that an error names.
func failedVertex(err error) string {
	var vertex *errdefs.VertexError
	if errors.As(err, &vertex) {
		return vertex.Digest
	}
	return ""
}

// sourceLocation returns "Dockerfile:7" and the lines there, two around them for
// orientation; nothing for an error that has none.
func sourceLocation(err error) (where string, excerpt []string) {
	sources := errdefs.Sources(err)
	if len(sources) == 0 {
		return "", nil
	}
	s := sources[len(sources)-1]
	if s.Info == nil || len(s.Ranges) == 0 {
		return "", nil
	}
	lines := strings.Split(strings.TrimRight(string(s.Info.Data), "\n"), "\n")
	first, last := int(s.Ranges[0].Start.Line), int(s.Ranges[0].Start.Line)
	for _, r := range s.Ranges {
		first = min(first, int(r.Start.Line))
		last = max(last, int(r.Start.Line), int(r.End.Line))
	}
	if first < 1 || first > len(lines) {
		return "", nil
	}
	for n := max(1, first-2); n <= min(len(lines), last+2); n++ {
		marker := "   "
		if n >= first && n <= last {
			marker = ">>>"
		}
		excerpt = append(excerpt, builder.CleanLine(fmt.Sprintf("%s %s:%d: %s", marker, s.Info.Filename, n, strings.TrimRight(lines[n-1], "\r"))))
	}
	return fmt.Sprintf("%s:%d", s.Info.Filename, first), excerpt
}

// stepNumber is the "[stage 2/5] " before an instruction.
var stepNumber = regexp.MustCompile(`^\[[^\]]*\] `)

func instruction(name string) string { return stepNumber.ReplaceAllString(name, "") }

func exitText(exit *gateway.ExitError, text string) string {
	if ended := process.ReplaceAllString(text, ""); ended != exitCode(exit) && exit.ExitCode == gateway.UnknownExitStatus {
		return "the process could not be started or watched: " + ended
	}
	if exit.ExitCode == exitKilled {
		return "exit code 137 (killed)"
	}
	return fmt.Sprintf("exit code %d", exit.ExitCode)
}

// wrapping is what the layers of BuildKit say before they say what happened.
var wrapping = regexp.MustCompile(`^(?:code = \w+ desc = |(?:failed to solve|failed to run Build function|rpc error|failed to (?:compute|load) cache key|failed to receive status` +
	`|failed to get status|Unknown|ResourceExhausted|failed to calculate checksum of ref \S+|failed to do request|failed to copy|httpReadSeeker|failed open` +
	`|failed to authorize|failed to fetch (?:anonymous|oauth) token): ?)`)

// noBase is how BuildKit says that a base image is not to be had; it repeats the name.
var noBase = regexp.MustCompile(`^(\S+): failed to resolve source metadata for \S+: `)

// denied is how BuildKit reports what sourcePolicy forbids.
var denied = regexp.MustCompile(`source "docker-image://([^"]*)" denied by policy`)

func rootText(err error) string {
	text := withoutHostPaths(err.Error())
	if m := denied.FindStringSubmatch(text); m != nil {
		return "base image " + m[1] + " is not allowed; from this host, a build can use only images of its own namespace in this registry"
	}
	if strings.HasSuffix(text, "string field contains invalid UTF-8") { // of an operation, whose place is lost
		return "the Dockerfile has a RUN instruction that is not UTF-8; save it as UTF-8, and write file names in other encodings as patterns, such as caf*.txt"
	}
	for {
		shorter := wrapping.ReplaceAllString(text, "")
		if shorter == text {
			break
		}
		text = shorter
	}
	if m := noBase.FindStringSubmatch(text); m != nil {
		return "base image " + m[1] + ": " + strings.TrimPrefix(text[len(m[0]):], m[1]+": ")
	}
	return text
}

func oneLine(text string) string {
	return shorten(builder.CleanLine(strings.Join(strings.Fields(text), " ")), 400)
}

func infrastructure(err error, format string, args ...any) *builder.SolveError {
	return &builder.SolveError{Outcome: catalog.OutcomeInfrastructure, Message: fmt.Sprintf(format, args...), Err: err}
}
