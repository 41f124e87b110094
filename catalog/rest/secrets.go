package rest

import (
	"strconv"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

// buildSecrets are the kinds of secrets that RUN steps are given.
var buildSecrets = []catalog.SecretKind{catalog.SecretValue, catalog.SecretSSHKey}

func (c *call) setSecret(in api.SetSecret) (api.Secret, error) {
	secret := catalog.Secret{Namespace: c.namespace, Kind: catalog.SecretKind(in.Kind), Name: in.Name, Tags: in.Tags, UserID: c.id.User.ID}
	switch secret.Kind {
	case "", catalog.SecretValue, catalog.SecretSSHKey:
	default:
		return api.Secret{}, catalog.FieldErrorf("kind", "%q is not a valid kind; the kinds are: %s, %s", in.Kind, catalog.SecretValue, catalog.SecretSSHKey)
	}
	if in.Image != "" {
		image, err := c.imageNamed(in.Image)
		if err != nil {
			return api.Secret{}, err
		}
		secret.ImageID = image.ID
	}
	secret, err := c.server.config.Secrets.Set(c.r.Context(), secret, in.Value)
	if err != nil {
		return api.Secret{}, about("name", err)
	}
	c.audit("secret set", "namespace", c.namespace, "secret", secret.Name, "kind", secret.Kind, "image", secret.Image, "tags", secret.Tags)
	return secretOf(secret), nil
}

func (c *call) listSecrets() ([]api.Secret, error) {
	secrets, err := c.server.config.Secrets.List(c.r.Context(), c.namespace, buildSecrets...)
	return convertAll(secrets, secretOf), err
}

func (c *call) deleteSecret() error {
	return c.removeSecret("secret removed", "Secret Deleted Successfully", buildSecrets...)
}

// removeSecret deletes the secret that the path names.
func (c *call) removeSecret(what, message string, kinds ...catalog.SecretKind) error {
	id, err := strconv.ParseInt(c.r.PathValue("id"), 10, 64)
	if err != nil {
		return catalog.Errorf(catalog.NotFound, "the secret does not exist")
	}
	if err := c.server.config.Secrets.Remove(c.r.Context(), c.namespace, id, kinds...); err != nil {
		return err
	}
	c.audit(what, "namespace", c.namespace, "id", id)
	return c.deleted(message)
}

// setRegistry stores an account of a namespace, or of the installation where the request is of none. So do the others.
func (c *call) setRegistry(in api.SetRegistry) (api.Registry, error) {
	secret, err := c.server.config.Secrets.Set(c.r.Context(), catalog.Secret{
		Namespace: c.namespace, Kind: catalog.SecretRegistry, Name: in.Host, Username: in.Username, UserID: c.id.User.ID,
	}, []byte(in.Password))
	if err != nil {
		return api.Registry{}, about("host", err)
	}
	c.audit("registry added", "namespace", c.namespace, "host", secret.Name, "username", secret.Username)
	return registryOf(secret), nil
}

func (c *call) listRegistries() ([]api.Registry, error) {
	secrets, err := c.server.config.Secrets.List(c.r.Context(), c.namespace, catalog.SecretRegistry)
	return convertAll(secrets, registryOf), err
}

func (c *call) deleteRegistry() error {
	return c.removeSecret("registry removed", "Registry Deleted Successfully", catalog.SecretRegistry)
}

func secretOf(s catalog.Secret) api.Secret {
	return api.Secret{ID: s.ID, Name: s.Name, Kind: string(s.Kind), Image: s.Image, Tags: s.Tags, SetAt: api.Time{Time: s.SetAt}}
}

func registryOf(s catalog.Secret) api.Registry {
	return api.Registry{ID: s.ID, Host: s.Name, Username: s.Username, SetAt: api.Time{Time: s.SetAt}}
}
