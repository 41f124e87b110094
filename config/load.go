package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/goccy/go-yaml"

	"github.com/fandoghpaas/fandogh/internal/bounded"
)

// Load reads the file, when one is named, and the environment over Default.
// environ is in os.Environ's form. An unknown key in the file is an error with
// its line; so is a FANDOGH_ variable that sets nothing. Call Validate after
// flags were applied.
func Load(file string, environ []string) (Config, error) {
	c := Default()
	if file != "" {
		if err := c.readFile(file); err != nil {
			return Config{}, err
		}
	}
	c.takeOldNames()
	err := c.readEnv(environ)
	c.takeOldNames()
	return c, err
}

// takeOldNames moves what a source set by an old name to the new one.
func (c *Config) takeOldNames() {
	if old := c.Registry.CollectEvery; old != nil {
		c.Registry.GCInterval, c.Registry.CollectEvery = *old, nil
	}
}

// maxFile bounds the configuration and the files that it names, in bytes.
const maxFile = 1 << 20

func (c *Config) readFile(file string) error {
	text, err := bounded.File(file, maxFile)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	var content any // decoding a file that sets nothing would clear the defaults
	if err = yaml.Unmarshal(text, &content); err == nil && content != nil {
		err = yaml.UnmarshalWithOptions(text, c, yaml.Strict())
	}
	if err != nil {
		// Without the lines around it: what they have may be secret, and this goes to the log.
		return fmt.Errorf("configuration %s: %s%s", file, yaml.FormatError(err, false, false), ofSetting(err))
	}
	return nil
}

// ofSetting names the setting whose value is at fault, "" where it is none.
func ofSetting(err error) string {
	var of yaml.Error
	if !errors.As(err, &of) || of.GetToken() == nil {
		return ""
	}
	colon := of.GetToken().Prev
	if colon == nil || colon.Value != ":" || colon.Prev == nil {
		return ""
	}
	return ", of " + colon.Prev.Value
}

func (c *Config) readEnv(environ []string) error {
	set := env.ToMap(environ)
	options := env.Options{Environment: set, Prefix: EnvPrefix, FuncMap: map[reflect.Type]env.ParserFunc{
		reflect.TypeFor[Size]():     func(s string) (any, error) { return ParseSize(s) },
		reflect.TypeFor[Duration](): func(s string) (any, error) { return parseDuration(s) },
		reflect.TypeFor[Mirrors]():  func(s string) (any, error) { return parseMirrors(s) },
	}}
	if err := env.ParseWithOptions(c, options); err != nil {
		return fmt.Errorf("environment: %w", errors.Join(eachFault(options)...))
	}
	return unknownVariables(set, options)
}

// eachFault is what is wrong with each variable, by its name: the library tells fields of structs.
func eachFault(options env.Options) (faults []error) {
	set := options.Environment
	for _, name := range slices.Sorted(maps.Keys(set)) {
		options.Environment = map[string]string{name: set[name]}
		values := append(strings.Split(set[name], ","), set[name])
		var of env.ParseError
		if err := env.ParseWithOptions(new(Config), options); errors.As(err, &of) {
			faults = append(faults, withoutSecretsOf(fmt.Errorf("%s: %w", name, of.Err), values...))
		} else if err != nil {
			faults = append(faults, withoutSecretsOf(fmt.Errorf("%s: %w", name, err), values...))
		}
	}
	return faults
}
