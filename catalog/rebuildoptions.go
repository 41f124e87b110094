package catalog

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// ChangedBy returns what another build is asked for where o was asked for before: each option, written as in `git push -o`, takes the place
// of what o has by its name, and the rest stays. Only those about a build are taken. "no-cache=false", "pull=false", "target=" and others
// without a value, and "build-arg=NAME" take back what o has. Errors: Invalid.
func (o BuildOptions) ChangedBy(options []string) (BuildOptions, error) {
	o.Args = maps.Clone(o.Args)
	for _, option := range options {
		if err := o.change(option); err != nil {
			return BuildOptions{}, err
		}
	}
	return o, o.Validate()
}

func (o *BuildOptions) change(option string) error {
	name, value, hasValue := strings.Cut(option, "=")
	if strings.ContainsAny(option, "\x00\r\n") {
		return FieldErrorf("options", "option %s has a line break", name)
	}
	if of, ok := buildFlags[name]; ok {
		on, err := strconv.ParseBool(value)
		if err != nil && hasValue {
			return FieldErrorf("options", "option %s is given without a value, or as %[1]s=false; got %q", name, value)
		}
		*of(o) = on || !hasValue
		return nil
	}
	if text, ok := buildTexts[name]; ok {
		if !hasValue {
			return FieldErrorf("options", "option %s needs a value; %[1]s= takes it back", name)
		}
		*text.of(o) = value
		return nil
	}
	if name != buildArg {
		return FieldErrorf("options", "unknown option %q; the options are: %s", name, strings.Join(RebuildOptionUsage(), ", "))
	}
	arg, text, isSet := strings.Cut(value, "=")
	if err := validateBuildArg(arg); err != nil {
		return err
	}
	if isSet {
		o.setArg(arg, text)
	} else {
		delete(o.Args, arg)
	}
	return nil
}

// RebuildOptionUsage lists the options that ChangedBy takes, as "target=STAGE".
func RebuildOptionUsage() []string {
	usage := []string{buildArg + "=NAME=VALUE"}
	for name := range buildFlags {
		usage = append(usage, name)
	}
	for name, text := range buildTexts {
		usage = append(usage, name+"="+text.value)
	}
	slices.Sort(usage)
	return usage
}

// Words writes what was asked for as options of a push, in the order of their names. Values of build args, which may be confidential, are left out unless asked for.
func (o BuildOptions) Words(argValues bool) []string {
	words := []string{}
	for name, value := range o.Args {
		word := buildArg + "=" + name
		if argValues {
			word += "=" + value
		}
		words = append(words, word)
	}
	for name, of := range buildFlags {
		if *of(&o) {
			words = append(words, name)
		}
	}
	for name, text := range buildTexts {
		if value := *text.of(&o); value != "" {
			words = append(words, name+"="+value)
		}
	}
	slices.Sort(words)
	return words
}
