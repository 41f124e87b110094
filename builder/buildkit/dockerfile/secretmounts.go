package dockerfile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/moby/buildkit/session/sshforward"
	"github.com/moby/buildkit/solver/pb"
)

// BuildKit's cache knows a step with a secret by the secret's name, whatever it holds: another build with
// the same step would be handed what it made, as files that only an account may download. So BuildKit is asked for
// secrets by aliases that differ with whose they are. What no secret is there for is asked for as that: what a step makes without
// it may be any build's, and no name that a Dockerfile has is an alias.

// unset begins what a build has no secret for, and no alias.
const unset = "unset "

// Secrets are what the steps of a build may be given, by the names that Dockerfiles have for it.
type Secrets struct {
	Values map[string]string    // aliases of what RUN --mount=type=secret mounts
	Agents map[string]string    // aliases of agents for RUN --mount=type=ssh
	Set    map[string]time.Time // by alias; it tells values apart
	// Used tells once of each alias that a step needs; nil: it is not told.
	Used func(alias string)
}

// giveSecrets returns the graph with the aliases of what the build has. Where a step can't be without a
// secret that is not there, the error says so.
func (c *frontendClient) giveSecrets(g *graph) (*graph, error) {
	from := &graph{def: g.def, order: g.order, ops: maps.Clone(g.ops)}
	missing := map[string]bool{}
	for _, id := range g.order {
		if len(aliasesOf(g.ops[id].GetExec())) == 0 {
			continue
		}
		op := g.ops[id].CloneVT()
		for _, m := range op.GetExec().Mounts {
			if secret := m.SecretOpt; secret != nil {
				secret.ID = c.alias(c.secrets.Values, secret.ID, secret.Optional, missing, "secret")
			}
			if agent := m.SSHOpt; agent != nil {
				agent.ID = c.alias(c.secrets.Agents, cmp.Or(agent.ID, sshforward.DefaultID), agent.Optional, missing, "SSH key")
			}
		}
		for _, secret := range op.GetExec().Secretenv {
			secret.ID = c.alias(c.secrets.Values, secret.ID, secret.Optional, missing, "secret")
		}
		from.ops[id] = op
	}
	if len(missing) > 0 {
		return nil, missingSecrets(slices.Sorted(maps.Keys(missing)))
	}
	def, err := from.upTo(g.result())
	if err != nil {
		return nil, err
	}
	return newGraph(def)
}

// aliasesOf returns what a step asks to be given: aliases, where giveSecrets has been.
func aliasesOf(exec *pb.ExecOp) (aliases []string) {
	for _, m := range exec.GetMounts() {
		if m.SecretOpt != nil {
			aliases = append(aliases, m.SecretOpt.ID)
		}
		if m.SSHOpt != nil {
			aliases = append(aliases, m.SSHOpt.ID)
		}
	}
	for _, secret := range exec.GetSecretenv() {
		aliases = append(aliases, secret.ID)
	}
	return aliases
}

// hasSecrets reports whether a step is to be given any.
func (g *graph) hasSecrets() bool {
	return slices.ContainsFunc(g.order, func(id string) bool { return len(aliasesOf(g.ops[id].GetExec())) > 0 })
}

func (c *frontendClient) alias(aliases map[string]string, name string, optional bool, missing map[string]bool, what string) string {
	alias, ok := aliases[name]
	switch {
	case ok && c.secrets.Used != nil:
		c.secrets.Used(alias)
	case !ok && !optional:
		missing[fmt.Sprintf("%s %q", what, name)] = true
	}
	return cmp.Or(alias, unset+name)
}

func missingSecrets(names []string) error {
	which := "which is"
	if len(names) > 1 {
		which = "which are"
	}
	return userError("the Dockerfile requires the %s, %s not set for this build; "+
		"set it with \"fandogh secret set\", for this image and version, or remove required from the mount", strings.Join(names, " and the "), which)
}
