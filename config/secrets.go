package config

import "strings"

// hidden stands where a secret was.
const hidden = "(hidden)"

// WithoutSecrets returns a copy to be shown to others: it lacks the settings that are secrets and what commands are given
// beside their names. URLs keep what is in them, which Validate and Changes hide. Secrets are what was taken out.
func (c Config) WithoutSecrets() (shown Config, secrets []string) {
	shown = c
	if secret := c.GitHub.App.WebhookSecret; secret != "" {
		shown.GitHub.App.WebhookSecret = hidden
		secrets = append(secrets, secret)
	}
	shown.Builder.CredentialHelpers = map[string]string{}
	for host, command := range c.Builder.CredentialHelpers {
		words := strings.Fields(command)
		if len(words) > 1 {
			secrets = append(secrets, words[1:]...)
			words = append(words[:1:1], hidden)
		}
		shown.Builder.CredentialHelpers[host] = strings.Join(words, " ")
	}
	return shown, secrets
}
