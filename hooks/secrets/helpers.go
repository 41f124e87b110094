package secrets

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
)

const (
	helperTimeout = 30 * time.Second
	// helperAge is how long an answer is used. What the clouds' registries take lasts five minutes at least.
	helperAge = 4 * time.Minute
	// identityToken is a user name that says that the password is an identity token.
	identityToken = "<token>"
	// hubAddress is what Docker calls its Hub when it asks a helper.
	hubAddress = "https://index.docker.io/v1/"
	// notFound is what helpers say of a registry that they have nothing for.
	notFound = "credentials not found"
)

// helpers asks commands for passwords, by Docker's credential helper protocol.
type helpers struct {
	commands map[string][]string // by host; never changed
	log      hclog.Logger

	mu      sync.Mutex
	answers map[string]*helperAnswer
}

// helperAnswer is locked while it is asked for.
type helperAnswer struct {
	mu                 sync.Mutex
	username, password string
	at                 time.Time // zero: not asked yet
}

func newHelpers(commands map[string]string, log hclog.Logger) (*helpers, error) {
	h := &helpers{commands: map[string][]string{}, answers: map[string]*helperAnswer{}, log: log}
	for host, command := range commands {
		name, err := catalog.RegistryHost(host)
		if err != nil {
			return nil, err
		}
		words := strings.Fields(command)
		if len(words) == 0 {
			return nil, catalog.Errorf(catalog.Invalid, "the credential helper of %s is not a command", host)
		}
		h.commands[name] = append(words, "get")
	}
	return h, nil
}

// get returns what the helper of a host tells; nothing where there is none.
func (h *helpers) get(ctx context.Context, host string) (username, password string, err error) {
	command := h.commands[host]
	if command == nil {
		return "", "", nil
	}
	h.mu.Lock()
	answer := h.answers[host]
	if answer == nil {
		answer = &helperAnswer{}
		h.answers[host] = answer
	}
	h.mu.Unlock()
	answer.mu.Lock()
	defer answer.mu.Unlock()
	if time.Since(answer.at) > helperAge {
		username, password, err := h.ask(ctx, host, command)
		if err != nil {
			return "", "", err
		}
		answer.username, answer.password, answer.at = username, password, time.Now()
	}
	return answer.username, answer.password, nil
}

func (h *helpers) ask(ctx context.Context, host string, command []string) (username, password string, err error) {
	ctx, cancel := context.WithTimeout(ctx, helperTimeout)
	defer cancel()
	c := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // the operator's
	c.WaitDelay = time.Second
	address := host
	if host == catalog.DockerHub {
		address = hubAddress
	}
	c.Stdin = strings.NewReader(address)
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.Output()
	if err != nil && strings.Contains(string(out)+said.String(), notFound) {
		return "", "", nil
	}
	if err != nil {
		h.log.Error("failed to run a credential helper", "host", host, "command", command[0], "error", err, "stderr", strings.TrimSpace(said.String()))
		return "", "", catalog.Wrap(catalog.Unavailable, err, "the server's credential helper for %s failed; its log has the details", host)
	}
	var answer struct{ Username, Secret string }
	if err := json.Unmarshal(out, &answer); err != nil {
		return "", "", catalog.Wrap(catalog.Unavailable, fmt.Errorf("%s: what it answers is not JSON", command[0]), "the server's credential helper for %s failed; its log has the details", host)
	}
	if answer.Username == identityToken {
		answer.Username = ""
	}
	return answer.Username, answer.Secret, nil
}
