package protocol

import (
	"bytes"
	"strconv"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// allHistory is the depth that git asks for to mean all.
const allHistory = 1<<31 - 1

// fetchRequest is what a client asks for, in either version of the protocol.
type fetchRequest struct {
	wants   objects.Hashes
	shallow objects.Hashes // the client's ends of history
	haves   objects.Hashes
	depth   int      // of the history to send; 0: all
	since   int64    // Unix seconds before which no commit is sent; 0: any
	without []string // refs whose history is not sent
	filter  objectFilter
	can     map[string]string // what the client understands, by capability
	done    bool
}

func newFetchRequest() *fetchRequest {
	return &fetchRequest{filter: noFilter, can: map[string]string{}}
}

func (r *fetchRequest) asked(capability string) bool {
	_, ok := r.can[capability]
	return ok
}

// argument takes a line that both versions have. Errors: Invalid.
func (r *fetchRequest) argument(line []byte) error {
	word, rest, _ := bytes.Cut(line, []byte(" "))
	switch string(word) {
	case "want":
		return addHash(&r.wants, line, rest)
	case "have":
		return addHash(&r.haves, line, rest)
	case "shallow":
		return addHash(&r.shallow, line, rest)
	case "deepen":
		n, err := strconv.ParseUint(string(rest), 10, 31)
		r.depth = int(n) //nolint:gosec // 31 bits
		if err != nil || n == 0 {
			return badLine(line)
		}
	case "deepen-since":
		n, err := strconv.ParseUint(string(rest), 10, 63)
		r.since = int64(n) //nolint:gosec // 63 bits
		if err != nil || n == 0 {
			return badLine(line)
		}
	case "deepen-not":
		if len(r.without) == maxCommands {
			return badLine(line)
		}
		r.without = append(r.without, string(rest))
	case "filter":
		r.filter = noFilter
		return r.filter.add(string(rest))
	default:
		return catalog.Errorf(catalog.Invalid, "the client requested %.100q, which is not supported", line)
	}
	return nil
}

func addHash(set *objects.Hashes, line, text []byte) error {
	h, ok := objects.ParseHash(text)
	if !ok {
		return badLine(line)
	}
	set.Add(h)
	return nil
}

func badLine(line []byte) error {
	return catalog.Errorf(catalog.Invalid, "the client sent an invalid line %.100q", line)
}

// checkDepth refuses what contradicts itself.
func (r *fetchRequest) checkDepth() error {
	if r.depth > 0 && (r.since > 0 || len(r.without) > 0) {
		return catalog.Errorf(catalog.Invalid, "a depth can't be combined with a time or excluded refs; use only one of them")
	}
	return nil
}
