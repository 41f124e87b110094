package client_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/account"
	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/catalog/client"
	"github.com/fandoghpaas/fandogh/catalog/rest"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
)

func Example() {
	ctx := context.Background()
	server := newServer()
	defer server.Close()

	// Log in by name and password; the token takes their place from then on.
	anonymous, err := client.New(client.Config{Server: server.URL})
	if err != nil {
		panic(err)
	}
	login, err := anonymous.CreateToken(ctx, api.CreateToken{Username: "ali", Password: password, Name: "example"})
	if err != nil {
		panic(err)
	}
	c, err := client.New(client.Config{Server: server.URL, Token: login.Secret})
	if err != nil {
		panic(err)
	}
	message, err := c.CreateImage(ctx, "website")
	if err != nil {
		panic(err)
	}
	fmt.Println(message)
	for image, err := range c.Images(ctx) {
		if err != nil {
			panic(err)
		}
		fmt.Println(image.Namespace + "/" + image.Name)
	}
	// Output:
	// Image created successfully
	// ali/website
	// ali/shop
}

func ExampleClient_Versions() {
	server := newServer()
	defer server.Close()
	c := server.client()
	for v, err := range c.Versions(context.Background(), "shop", "BUILT") {
		if err != nil {
			panic(err)
		}
		fmt.Println(v.Version, v.State, v.Size)
	}
	// Output: v1.0 BUILT 1234
}

func ExampleClient_Follow() {
	server := newServer()
	defer server.Close()
	c := server.client()
	end, err := c.Follow(context.Background(), "shop", "v1.0", false, func(line string) { fmt.Println(line) })
	if err != nil {
		panic(err)
	}
	fmt.Println("it is", end.State)
	// Output:
	// #4 [1/2] COPY . /shop
	// #5 [2/2] RUN make -C /shop
	// it is BUILT
}

func ExampleClient_In() {
	ctx := context.Background()
	server := newServer()
	defer server.Close()
	c := server.client()
	if _, err := c.CreateNamespace(ctx, "team"); err != nil {
		panic(err)
	}
	if _, err := c.In("team").CreateImage(ctx, "api"); err != nil {
		panic(err)
	}
	images, err := client.Collect(c.In("team").Images(ctx), 0)
	if err != nil {
		panic(err)
	}
	fmt.Println(len(images), images[0].Namespace, images[0].Name)
	// Output: 1 team api
}

func ExampleClient_ProgramVersion() {
	server := newServer()
	defer server.Close()
	c, err := client.New(client.Config{Server: server.URL}) // which needs no login
	if err != nil {
		panic(err)
	}
	program, err := c.ProgramVersion(context.Background())
	if err != nil {
		panic(err)
	}
	fmt.Println(program.Version)
	// Output: v1.2.0
}

func ExampleStatusOf() {
	server := newServer()
	defer server.Close()
	_, err := server.client().Version(context.Background(), "shop", "v9.9")
	if client.StatusOf(err) == http.StatusNotFound {
		fmt.Println("not there:", err)
	}
	// Output: not there: image "shop" has no version "v9.9"
}

const password = "correct horse battery"

// server is the real API over a store in which ali has the image shop, of which v1.0 is built.
type server struct {
	*httptest.Server
	token string
	clean func()
}

func newServer() *server {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "fandogh-example-")
	must(err)
	store, err := sqlite.Open(ctx, filepath.Join(dir, "fandogh.db"))
	must(err)
	accounts := account.New(account.Config{Users: store})
	ali, err := store.CreateUser(ctx, catalog.NewUser{Name: "ali"})
	must(err)
	must(accounts.SetPassword(ctx, ali.ID, password))
	token, _, err := accounts.CreateToken(ctx, catalog.NewToken{UserID: ali.ID, Name: "example", Scope: catalog.ScopeWrite})
	must(err)
	shop, err := store.CreateImage(ctx, catalog.NewImage{Ref: catalog.ImageRef{Namespace: "ali", Name: "shop"}, OwnerID: ali.ID})
	must(err)
	_, err = store.RecordVersion(ctx, catalog.ReadyVersion{
		ImageID: shop.ID, Version: "v1.0", Trigger: catalog.TriggerRegistry, UserID: ali.ID,
		Digest: "sha256:" + strings.Repeat("1", 64), Size: 1234, At: time.Now(),
	})
	must(err)
	handler, err := rest.New(rest.Config{
		Store: store, Auth: accounts, Accounts: accounts, Logs: logs{store: store}, Contents: contents{},
		// These are not asked by the examples.
		Control: struct{ catalog.BuildControl }{}, Uploads: struct{ catalog.Uploader }{}, Branches: struct{ catalog.Branches }{},
		Remover: struct{ rest.Remover }{}, Transfers: struct{ catalog.TransferControl }{}, Origins: struct{ catalog.Origins }{}, Keys: struct{ catalog.SigningKeys }{}, SBOMs: struct{ catalog.SBOMs }{}, Comparisons: struct{ catalog.Comparisons }{}, Diagnoses: struct{ catalog.Diagnoses }{}, Usage: struct{ catalog.UsageReport }{}, Parts: func() map[string]int64 { return nil }, GitHub: struct{ catalog.GitHubControl }{}, Webhooks: struct{ catalog.WebhookControl }{}, Secrets: struct{ catalog.SecretControl }{}, Retention: struct{ catalog.RetentionControl }{},
		Version: "v1.2.0", Logger: hclog.NewNullLogger(),
	})
	must(err)
	return &server{Server: httptest.NewServer(handler), token: token, clean: func() {
		must(store.Close())
		must(os.RemoveAll(dir))
	}}
}

func (s *server) client() *client.Client {
	c, err := client.New(client.Config{Server: s.URL, Token: s.token})
	must(err)
	return c
}

func (s *server) Close() {
	s.Server.Close()
	s.clean()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// logs has the same lines for every build.
type logs struct {
	catalog.BuildLogs
	store catalog.Store
}

func (l logs) FollowLog(ctx context.Context, build int64, _ int, emit func([]catalog.LogLine) error) (catalog.Build, error) {
	if err := emit([]catalog.LogLine{{Text: "#4 [1/2] COPY . /shop"}, {Text: "#5 [2/2] RUN make -C /shop"}}); err != nil {
		return catalog.Build{}, err
	}
	return l.store.Build(ctx, build)
}

type contents struct{}

func (contents) Content(context.Context, catalog.ImageRef, string) (api.ImageContent, error) {
	return api.ImageContent{Platform: "linux/amd64"}, nil
}
