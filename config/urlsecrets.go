package config

import (
	"cmp"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// digest begins what an image's name has behind an @.
var digest = regexp.MustCompile(`^[a-z0-9]+:[0-9a-f]{32}`)

// secretsIn are the parts of a value that may be secret, if it is an address: what stands before its @, with that, and what follows its ?.
// In a path of a file there are none.
func secretsIn(value string) (secrets []string) {
	if strings.HasPrefix(value, "/") {
		return nil
	}
	_, rest, hasScheme := strings.Cut(value, "://")
	if !hasScheme {
		rest = value
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		if user := rest[:at+1]; user != "git@" && !digest.MatchString(rest[at+1:]) {
			secrets = append(secrets, user)
		}
		rest = rest[at+1:]
	}
	if _, query, ok := strings.Cut(rest, "?"); ok && query != "" {
		secrets = append(secrets, "?"+query)
	}
	return secrets
}

// hide returns a text in which secrets of addresses are hidden, also where they are quoted.
func hide(text string, secrets []string) string {
	// The longest first: one may be a part of another.
	secrets = slices.SortedFunc(slices.Values(secrets), func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, secret := range secrets {
		shown := hidden + "@"
		if strings.HasPrefix(secret, "?") {
			shown = "?" + hidden
		}
		quoted := strconv.Quote(secret)
		text = strings.NewReplacer(secret, shown, quoted[1:len(quoted)-1], shown).Replace(text)
	}
	return text
}

// hiding is an error in whose text secrets of addresses are hidden.
type hiding struct {
	error
	text string
}

func (h hiding) Error() string { return h.text }

func (h hiding) Unwrap() error { return h.error }

// withoutSecretsOf returns an error that does not tell the secrets that addresses have.
func withoutSecretsOf(err error, values ...string) error {
	if err == nil {
		return nil
	}
	var secrets []string
	for _, value := range values {
		secrets = append(secrets, secretsIn(value)...)
	}
	return hiding{err, hide(err.Error(), secrets)}
}

// secretsOf are the secrets of addresses in a setting's value.
func secretsOf(v reflect.Value) (secrets []string) {
	eachText(v, func(text string) { secrets = append(secrets, secretsIn(text)...) })
	return secrets
}

// texts are the values of all settings that are texts.
func (c Config) texts() (texts []string) {
	eachText(reflect.ValueOf(c), func(text string) { texts = append(texts, text) })
	return texts
}

func eachText(v reflect.Value, visit func(text string)) {
	switch v.Kind() {
	case reflect.String:
		visit(v.String())
	case reflect.Struct:
		for i := range v.NumField() {
			eachText(v.Field(i), visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachText(v.Index(i), visit)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			eachText(key, visit)
			eachText(v.MapIndex(key), visit)
		}
	default: // it has no text
	}
}
