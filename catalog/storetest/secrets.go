package storetest

import (
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

func testSecrets(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	image := newImage(t, s, "ann", "app")
	foreign := newImage(t, s, "bob", "app")
	put := func(secret catalog.Secret) catalog.Secret {
		t.Helper()
		secret.Sealed = []byte("sealed")
		return must(s.PutSecret(ctx, secret))(t)
	}
	list := func(namespace string) []catalog.Secret {
		t.Helper()
		return must(s.ListSecrets(ctx, namespace))(t)
	}
	line := func(s catalog.Secret) string {
		return string(s.Kind) + " " + s.Namespace + "/" + s.Image + " " + s.Name + " " + s.Tags + " " + s.Username
	}
	wide := put(catalog.Secret{Namespace: "ann", Kind: catalog.SecretValue, Name: "token", UserID: image.OwnerID})
	put(catalog.Secret{Namespace: "ann", ImageID: image.ID, Kind: catalog.SecretValue, Name: "token", Tags: "v*"})
	put(catalog.Secret{Namespace: "ann", Kind: catalog.SecretSSHKey, Name: "token"})
	put(catalog.Secret{Namespace: "ann", Kind: catalog.SecretRegistry, Name: "ghcr.io", Username: "ann"})
	put(catalog.Secret{Kind: catalog.SecretRegistry, Name: "ghcr.io", Username: "all"})
	put(catalog.Secret{Namespace: "bob", Kind: catalog.SecretValue, Name: "token"})
	wantRecent(t, "secret", wide.SetAt)
	wantEqual(t, "of the namespace", names(list("ann"), line), "[registry ann/ ghcr.io  ann secret ann/ token   secret ann/app token v*  ssh ann/ token  ]")
	wantEqual(t, "of the installation", names(list(""), line), "[registry / ghcr.io  all]")

	again := must(s.PutSecret(ctx, catalog.Secret{Namespace: "ann", Kind: catalog.SecretValue, Name: "token", Sealed: []byte("new")}))(t)
	wantEqual(t, "the same secret", again.ID, wide.ID)
	wantEqual(t, "its value", string(again.Sealed), "new")
	wantEqual(t, "still as many", len(list("ann")), 4)

	_, err := s.PutSecret(ctx, catalog.Secret{Namespace: "nowhere", Kind: catalog.SecretValue, Name: "a", Sealed: []byte{}})
	wantCode(t, err, catalog.NotFound)
	_, err = s.PutSecret(ctx, catalog.Secret{Namespace: "ann", ImageID: foreign.ID, Kind: catalog.SecretValue, Name: "a", Sealed: []byte{}})
	wantCode(t, err, catalog.NotFound)
	_, err = s.ListSecrets(ctx, "nowhere")
	wantCode(t, err, catalog.NotFound)

	noError(t, s.DeleteSecret(ctx, wide.ID))
	wantCode(t, s.DeleteSecret(ctx, wide.ID), catalog.NotFound)
	noError(t, s.DeleteImage(ctx, image.ID))
	wantEqual(t, "without the image's", names(list("ann"), line), "[registry ann/ ghcr.io  ann ssh ann/ token  ]")
	wantEqual(t, "another's", len(list("bob")), 1)
}

// Whatever was encrypted needs its key.
func testSealed(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	image := newImage(t, s, "ann", "app")
	user := must(s.User(ctx, "ann"))(t)
	has := func() bool { return must(s.HasSealed(ctx))(t) }
	wantEqual(t, "at first", has(), false)
	secret := must(s.PutSecret(ctx, catalog.Secret{Namespace: "ann", Kind: catalog.SecretValue, Name: "token", Sealed: []byte("x")}))(t)
	wantEqual(t, "with a secret", has(), true)
	noError(t, s.DeleteSecret(ctx, secret.ID))
	wantEqual(t, "without it", has(), false)
	hook := must(s.CreateWebhook(ctx, catalog.Webhook{Namespace: "ann", URL: "https://example.com", Sealed: []byte("x"), UserID: user.ID}))(t)
	wantEqual(t, "with a webhook", has(), true)
	noError(t, s.DeleteWebhook(ctx, hook.ID))
	must(s.PutConnection(ctx, catalog.Connection{ImageID: image.ID, UserID: user.ID, Repository: "acme/app", Sealed: []byte("x")}))(t)
	wantEqual(t, "with a connection", has(), true)
}

// What was pulled with an account stays in caches, so it is remembered when the account is gone.
func testAccounts(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	newUser(t, s, "ann")
	had := func(host string) bool { return must(s.HadAccount(ctx, host))(t) }
	wantEqual(t, "before", had("ghcr.io"), false)
	secret := must(s.PutSecret(ctx, catalog.Secret{Namespace: "ann", Kind: catalog.SecretRegistry, Name: "ghcr.io", Sealed: []byte("x")}))(t)
	noError(t, s.DeleteSecret(ctx, secret.ID))
	wantEqual(t, "after", had("ghcr.io"), true)
	wantEqual(t, "at another port", had("ghcr.io:5000"), true)
	must(s.PutSecret(ctx, catalog.Secret{Namespace: "ann", Kind: catalog.SecretRegistry, Name: "example.com:5000", Sealed: []byte("x")}))(t)
	wantEqual(t, "at no port", had("example.com"), true)
	must(s.PutSecret(ctx, catalog.Secret{Namespace: "ann", Kind: catalog.SecretValue, Name: "quay.io", Sealed: []byte("x")}))(t)
	wantEqual(t, "no account", had("quay.io"), false)
	noError(t, s.NoteAccount(ctx, "quay.io"))
	noError(t, s.NoteAccount(ctx, "quay.io"))
	wantEqual(t, "noted", had("quay.io"), true)
}
