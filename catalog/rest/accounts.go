package rest

import (
	"net/http"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

// onlyOwn refuses a path that names another user than the one who asks.
func (c *call) onlyOwn() error {
	if name := c.r.PathValue("user"); name != "" && !strings.EqualFold(name, c.id.User.Name) {
		return catalog.Errorf(catalog.NotFound, "account %q does not exist, or is not your own", name)
	}
	return nil
}

// crashReport takes what one of the published clients sends when it crashed. It is not kept.
func (c *call) crashReport() error {
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func (c *call) account() (api.Account, error) {
	if err := c.onlyOwn(); err != nil {
		return api.Account{}, err
	}
	u := c.id.User
	return api.Account{ID: u.ID, Username: u.Name, Namespace: u.Name, Admin: u.Admin, CreatedAt: api.Time{Time: u.CreatedAt}, GitURL: c.server.config.GitURL}, nil
}

func (c *call) updateAccount(in api.UpdateAccount) (api.Message, error) {
	if err := c.onlyOwn(); err != nil {
		return api.Message{}, err
	}
	if in.Password == "" {
		return api.Message{}, catalog.FieldErrorf("password", "the new password is missing")
	}
	ctx := c.r.Context()
	if err := catalog.CheckPassword(ctx, c.server.config.Auth, c.r.RemoteAddr, c.id.User, in.CurrentPassword); err != nil {
		c.audit("password change refused")
		return api.Message{}, err
	}
	if err := c.server.config.Accounts.SetPassword(ctx, c.id.User.ID, in.Password); err != nil {
		return api.Message{}, err
	}
	c.audit("password changed")
	return api.NewMessage(http.StatusOK, "Password changed successfully"), nil
}

func (c *call) listKeys() ([]api.Key, error) {
	keys, err := c.server.config.Store.ListKeys(c.r.Context(), c.id.User.ID)
	return convertAll(keys, keyOf), err
}

func (c *call) createKey(in api.CreateKey) (api.Key, error) {
	if err := c.id.CheckLasting("add keys"); err != nil {
		return api.Key{}, err
	}
	return c.addKey(c.id.User, in)
}

// addKey adds a key of a user. about is what the audit log says beside its fingerprint.
func (c *call) addKey(user catalog.User, in api.CreateKey, about ...any) (api.Key, error) {
	if in.Key == "" {
		return api.Key{}, catalog.FieldErrorf("key", "key is missing; send one line, as in an id_ed25519.pub file, or an armored OpenPGP key")
	}
	key, err := c.server.config.Accounts.AddKey(c.r.Context(), user.ID, in.Name, in.Key)
	if err != nil {
		return api.Key{}, err
	}
	c.audit("key added", append(about, "fingerprint", key.Fingerprint)...)
	return keyOf(key), nil
}

func (c *call) deleteKey() error {
	id, err := c.pathID()
	if err != nil {
		return err
	}
	if err := c.server.config.Store.DeleteKey(c.r.Context(), c.id.User.ID, id); err != nil {
		return err
	}
	c.audit("key deleted", "key", id)
	return c.deleted("Key Deleted Successfully")
}

func keyOf(k catalog.Key) api.Key {
	return api.Key{ID: k.ID, Kind: string(k.Kind), Name: k.Name, Fingerprint: k.Fingerprint, Key: k.PublicKey, CreatedAt: api.Time{Time: k.CreatedAt}}
}
