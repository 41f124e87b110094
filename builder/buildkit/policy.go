package buildkit

import (
	"regexp"
	"strings"

	policy "github.com/moby/buildkit/sourcepolicy/pb"

	"github.com/fandoghpaas/fandogh/catalog"
)

// port is what may follow a host's name.
var port = regexp.MustCompile(`:\d+$`)

// sourcePolicy keeps a build to what it may read. The registry decides about
// every image that it is asked for, but BuildKit does not ask for an image that
// is named by its digest and lies in the cache: from our own registry only the
// build's namespace is allowed, as its credential has it. The cache remembers the
// name of the host an image came from and not the port, so our hosts are refused
// on every other port.
func sourcePolicy(image catalog.ImageRef, registryHosts []string, pinned ...catalog.BaseImage) *policy.Policy {
	var hosts, names []string
	for _, host := range registryHosts {
		hosts = append(hosts, regexp.QuoteMeta(host))
		names = append(names, regexp.QuoteMeta(port.ReplaceAllString(host, "")))
	}
	from := func(hosts []string) string { return `^docker-image://(` + strings.Join(hosts, "|") + `)` }
	rule := func(action policy.PolicyAction, pattern string) *policy.Rule {
		return &policy.Rule{Action: action, Selector: &policy.Selector{Identifier: pattern, MatchType: policy.MatchType_REGEX}}
	}
	var rules []*policy.Rule
	for _, base := range pinned {
		rules = append(rules, pin(base))
	}
	// The last rule that matches decides, also about what others have converted.
	return &policy.Policy{Version: 1, Rules: append(rules,
		rule(policy.PolicyAction_DENY, `(?i)`+from(names)+`(:[^/]*)?/`),
		rule(policy.PolicyAction_ALLOW, from(hosts)+`/`+regexp.QuoteMeta(strings.ToLower(image.Namespace))+`/`),
	)}
}

// pin has a name stand for an image of a digest.
func pin(base catalog.BaseImage) *policy.Rule {
	const scheme = "docker-image://"
	name, _, _ := strings.Cut(base.Ref, "@")
	return &policy.Rule{
		Action:   policy.PolicyAction_CONVERT,
		Selector: &policy.Selector{Identifier: scheme + name, MatchType: policy.MatchType_EXACT},
		Updates:  &policy.Update{Identifier: scheme + name + "@" + base.Digest},
	}
}
