package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/docker/go-units"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// Size is a number of bytes, written as "512MiB", "2GiB" or plain bytes.
type Size int64

// ParseSize reads a Size; units are powers of 1024 whichever way they are written.
func ParseSize(s string) (Size, error) {
	n, err := units.RAMInBytes(s)
	if err != nil || n < 0 { // more than there is a number for
		return 0, fmt.Errorf("%q is not a valid size; write it as 512MiB or 2GiB", s)
	}
	return Size(n), nil
}

// UnmarshalYAML reads a Size from a scalar.
func (s *Size) UnmarshalYAML(node ast.Node) error { return readScalar(node, s, ParseSize) }

// MarshalYAML writes a Size as it is read.
func (s Size) MarshalYAML() ([]byte, error) {
	text := units.BytesSize(float64(s))
	if same, err := ParseSize(text); err != nil || same != s { // it was rounded
		text = strconv.FormatInt(int64(s), 10)
	}
	return []byte(text), nil
}

// Duration is a time.Duration, written as "90s" or "1h30m".
type Duration time.Duration

// Std returns the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// UnmarshalYAML reads a Duration from a scalar.
func (d *Duration) UnmarshalYAML(node ast.Node) error { return readScalar(node, d, parseDuration) }

// MarshalYAML writes a Duration as it is read.
func (d Duration) MarshalYAML() ([]byte, error) { return []byte(d.Std().String()), nil }

func parseDuration(s string) (Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a valid duration; write it as 90s, 10m or 1h30m", s)
	}
	return Duration(d), nil
}

// Mirrors are base URLs for each host of a registry. In the environment they are written as
// docker.io=https://mirror.example.com https://other.example.com,ghcr.io=https://…
type Mirrors map[string][]string

func parseMirrors(s string) (Mirrors, error) {
	mirrors := Mirrors{}
	for entry := range strings.SplitSeq(s, ",") {
		host, addresses, found := strings.Cut(strings.TrimSpace(entry), "=")
		if !found || strings.Contains(host, "/") {
			return nil, fmt.Errorf("%q is not a valid list of mirrors; write it as docker.io=https://mirror.example.com", entry)
		}
		mirrors[host] = append(mirrors[host], strings.Fields(addresses)...)
	}
	return mirrors, nil
}

// readScalar says where in the file a fault is: the library leaves that to who decodes.
func readScalar[T any](node ast.Node, to *T, parse func(string) (T, error)) error {
	var text string
	err := yaml.NodeToValue(node, &text)
	if err != nil {
		err = errors.New("must be a single value")
	} else {
		*to, err = parse(text)
		err = withoutSecretsOf(err, text)
	}
	if err != nil {
		return fmt.Errorf("line %d: %s: %w", node.GetToken().Position.Line, strings.TrimPrefix(node.GetPath(), "$."), err)
	}
	return nil
}

// orchestrators matches the variables that Kubernetes and Docker links set in a container
// beside a service of our name.
var orchestrators = regexp.MustCompile(`_(SERVICE_HOST=.*|SERVICE_PORT(_\w+)?=\d+|PORT(_\d+_[A-Z]+)?=(tcp|udp|sctp)://.*|PORT_\d+_[A-Z]+_(PROTO|PORT|ADDR)=.*)$`)

// unknownVariables reports variables with our prefix that no setting reads, so
// that a misspelt one is not silently ignored.
func unknownVariables(set map[string]string, options env.Options) error {
	params, err := env.GetFieldParamsWithOptions(&Config{}, options)
	if err != nil {
		return fmt.Errorf("environment: %w", err)
	}
	known := map[string]bool{EnvPrefix + "CONFIG": true}
	for _, name := range []string{"SERVER", "TOKEN", "NAMESPACE"} { // the client's, which the same shell may have
		known[EnvPrefix+name] = true
	}
	for _, p := range params {
		known[p.Key] = true
	}
	var unknown []string
	for name, value := range set {
		if strings.HasPrefix(name, EnvPrefix) && !strings.HasPrefix(name, EnvPrefix+"TEST_") && !known[name] && !orchestrators.MatchString(name+"="+value) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	return fmt.Errorf("environment: %s: no such settings; deploy/config.example.yaml lists all settings", strings.Join(unknown, ", "))
}
