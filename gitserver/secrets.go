package gitserver

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
)

// secretVerbs manage what builds are given. Values come on standard input alone.
var secretVerbs = []verb{
	{"secrets", "NAMESPACE", "list the secrets of a namespace's builds", 1, catalog.ActionRead, nil, (*client).secrets},
	{"secret-set", "[--ssh] [--tags PATTERNS] NAMESPACE[/IMAGE] NAME", "set a secret, or with --ssh an SSH key, to what is on standard input", 2, catalog.ActionManage, secretFlags, (*client).secretSet},
	{"secret-remove", "[--ssh] [--tags PATTERNS] NAMESPACE[/IMAGE] NAME", "remove a secret", 2, catalog.ActionManage, secretFlags, (*client).secretRemove},
	{"registries", "NAMESPACE", "list the accounts at other registries that a namespace's builds use", 1, catalog.ActionRead, nil, (*client).registries},
	{"registry-add", "NAMESPACE HOST USERNAME", "add an account at another registry; the password is read from standard input", 3, catalog.ActionManage, nil, (*client).registryAdd},
	{"registry-remove", "NAMESPACE HOST", "remove an account at another registry", 2, catalog.ActionManage, nil, (*client).registryRemove},
}

func secretFlags(set *flag.FlagSet, f *flags) {
	set.BoolVar(&f.ssh, "ssh", false, "")
	set.StringVar(&f.tags, "tags", "", "")
}

// secretNamed is the secret that a command is about; its image is looked up. Errors: NotFound.
func (c *client) secretNamed(ctx context.Context, ref catalog.ImageRef, name string) (catalog.Secret, error) {
	s := catalog.Secret{Namespace: ref.Namespace, Kind: catalog.SecretValue, Name: name, Tags: strings.Join(catalog.Patterns(c.flags.tags), " "), UserID: c.id.User.ID}
	if c.flags.ssh {
		s.Kind = catalog.SecretSSHKey
	}
	if ref.Name == "" {
		return s, nil
	}
	image, err := c.server.config.Store.Image(ctx, ref)
	s.ImageID = image.ID
	return s, err
}

func (c *client) secretSet(ctx context.Context, ref catalog.ImageRef, args []string) error {
	s, err := c.secretNamed(ctx, ref, args[1])
	if err != nil {
		return err
	}
	value, err := c.readSecret("value")
	if err != nil {
		return err
	}
	return c.setSecret(ctx, s, ref, value, c.speaker.Text("Set %s", s.Name))
}

// setSecret stores what was read, which may have taken long.
func (c *client) setSecret(ctx context.Context, s catalog.Secret, ref catalog.ImageRef, value []byte, done string) error {
	if err := c.stillMay(ctx, catalog.ActionManage, ref); err != nil {
		return err
	}
	if _, err := c.server.config.Secrets.Set(ctx, s, value); err != nil {
		return err
	}
	return c.say("%s for the builds of %s.", done, strings.TrimSuffix(ref.String(), "/"))
}

func (c *client) secretRemove(ctx context.Context, ref catalog.ImageRef, args []string) error {
	s, err := c.secretNamed(ctx, ref, args[1])
	if err != nil {
		return err
	}
	return c.removeSecret(ctx, s)
}

// removeSecret removes the secret of the same namespace, image, kind, name and tags. Errors: NotFound.
func (c *client) removeSecret(ctx context.Context, s catalog.Secret) error {
	secrets, err := c.server.config.Secrets.List(ctx, s.Namespace, s.Kind)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(secrets, func(other catalog.Secret) bool {
		return other.Name == s.Name && other.ImageID == s.ImageID && other.Tags == s.Tags
	})
	if i < 0 {
		return catalog.Errorf(catalog.NotFound, "%s does not exist there", s.Name)
	}
	if err := c.server.config.Secrets.Remove(ctx, s.Namespace, secrets[i].ID, s.Kind); err != nil {
		return err
	}
	return c.say("Removed %s.", s.Name)
}

func (c *client) secrets(ctx context.Context, ref catalog.ImageRef, _ []string) error {
	secrets, err := c.server.config.Secrets.List(ctx, ref.Namespace, catalog.SecretValue, catalog.SecretSSHKey)
	if err != nil {
		return err
	}
	return c.table(func(w io.Writer) {
		fmt.Fprintln(w, c.heads("NAME", "KIND", "IMAGE", "TAGS", "SET"))
		all := c.speaker.Text("all")
		for _, s := range secrets {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.Name, s.Kind, cmp.Or(s.Image, all), cmp.Or(s.Tags, all), c.when(s.SetAt))
		}
	})
}

func (c *client) registryAdd(ctx context.Context, ref catalog.ImageRef, args []string) error {
	s := catalog.Secret{Namespace: ref.Namespace, Kind: catalog.SecretRegistry, Name: args[1], Username: args[2], UserID: c.id.User.ID}
	password, err := c.readSecret("password")
	if err != nil {
		return err
	}
	return c.setSecret(ctx, s, ref, bytes.TrimRight(password, "\r\n"), c.speaker.Text("Added the account %s at %s", s.Username, s.Name))
}

func (c *client) registryRemove(ctx context.Context, ref catalog.ImageRef, args []string) error {
	host, err := catalog.RegistryHost(args[1])
	if err != nil {
		return err
	}
	return c.removeSecret(ctx, catalog.Secret{Namespace: ref.Namespace, Kind: catalog.SecretRegistry, Name: host})
}

func (c *client) registries(ctx context.Context, ref catalog.ImageRef, _ []string) error {
	accounts, err := c.server.config.Secrets.List(ctx, ref.Namespace, catalog.SecretRegistry)
	if err != nil {
		return err
	}
	return c.table(func(w io.Writer) {
		fmt.Fprintln(w, c.heads("HOST", "USERNAME", "SET"))
		for _, s := range accounts {
			fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, s.Username, c.when(s.SetAt))
		}
	})
}
