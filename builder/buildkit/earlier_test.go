//go:build linux

package buildkit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// knowing lets a request find versions that were built.
func knowing(r builder.SolveRequest, known map[string]catalog.Version) builder.SolveRequest {
	r.Earlier = func(_ context.Context, recipe string) (catalog.Version, error) {
		if v, ok := known[recipe]; ok {
			return v, nil
		}
		return catalog.Version{}, catalog.Errorf(catalog.NotFound, "none")
	}
	return r
}

// commit is a tree as another commit has it, and a request for its version.
func commit(image, version string, tree *buildkittest.Tree, after time.Duration) builder.SolveRequest {
	again := buildkittest.NewTree(nil)
	again.MapFS, again.Commit = tree.MapFS, tree.Commit.Add(after)
	r := env.Request("ann", image, version, again)
	r.Build.Commit = strings.Repeat(version[:1], 40)
	r.Options.Labels = "revision,created,version"
	return r
}

// What an earlier version's layers are used for is, byte for byte, what a build makes.
func TestEarlierImageIsWhatABuildMakes(t *testing.T) {
	_, base := pushBase(t, "earlier", 2)
	shell := buildkittest.BusyboxImage
	for what, dockerfile := range map[string]string{
		"a copy":      "FROM scratch\nCOPY a /a\n",
		"nothing":     "FROM scratch\nCMD [\"/x\"]\n",
		"a base":      "FROM " + base + "\nCOPY a /a\nLABEL x=y\nENV A=<b>\n",
		"only a base": "FROM " + base + "\nLABEL org.opencontainers.image.created=never\n",
		"labels":      "FROM scratch\nCOPY a /a\nLABEL org.opencontainers.image.revision=own\n",
		"steps":       shell + "RUN echo x > /x\nCOPY dir /dir\nRUN echo y > /dir/y\nWORKDIR /w\nUSER 1\n",
		"stages":      shell + "COPY . /src\nRUN cat /src/a > /b\nFROM scratch\nCOPY --from=0 /b /b\nCOPY dir /d\n",
		"a pattern":   "FROM scratch\nCOPY d*/* /\nCOPY --chmod=600 a* /x/\n",
		"a link":      "FROM scratch\nCOPY link /\n",
		"a mount":     shell + "RUN --mount=target=/src cat /src/dir/b > /made\n",
		"a cache":     shell + "COPY a /a\nRUN --mount=type=cache,target=/c cat /a > /c/a && cat /c/a > /made\n",
		"excluded":    "FROM scratch\nCOPY --exclude=dir/b . /\n",
		"parents":     "FROM scratch\nCOPY --parents dir/b /x/\n",
		"platforms":   "FROM scratch\nARG TARGETARCH\nCOPY a /$TARGETARCH\nENV ARCH=$TARGETARCH\n",
		"large":       "FROM scratch\nCOPY large /l\nCOPY . /m\n",
	} {
		t.Run(what, func(t *testing.T) {
			image := "earlier-" + strings.ReplaceAll(what, " ", "-")
			tree := buildkittest.NewTree(map[string]string{"Dockerfile": dockerfile, "a": "1", "dir/b": "2", ".dockerignore": "Dockerfile\n"}).WithBusybox()
			tree.Add("link", "a", fs.ModeSymlink|0o777)
			if what == "large" { // to be split
				for n := range 2100 {
					tree.Add(fmt.Sprintf("large/%d/%d", n/100, n), fmt.Sprint(n), 0o644)
				}
			}
			ask := func(version string, after time.Duration) builder.SolveRequest {
				r := commit(image, version, tree, after)
				if what == "platforms" {
					r.Options.Platform = "linux/amd64,linux/arm64"
				}
				return r
			}
			first, _ := env.Solve(t, ask("1", 0))
			known := map[string]catalog.Version{first.Recipe: {Name: "1", Digest: first.Digest}}
			again, log := env.Solve(t, knowing(ask("2", time.Hour), known))
			if again.SameAs != "1" || strings.Contains(log, "1/1]") || strings.Contains(log, "1/2]") {
				t.Errorf("the same as %q:\n%s", again.SameAs, log)
			}
			again.SameAs = ""
			built, _ := env.Solve(t, ask("2", time.Hour))
			testkit.Same(t, "what was found, beside what is built", again, built)
		})
	}
}

// What decides about an image is in its recipe, and nothing else.
func TestRecipes(t *testing.T) {
	_, base := pushBase(t, "recipe", 1)
	const image = "recipes"
	dockerfile := buildkittest.BusyboxImage + `ARG DECLARED=1
ARG FANDOGH_REF
COPY --from=` + base + ` / /base
COPY a link *.txt /
COPY dir /dir
RUN --mount=target=/src,source=mounted --mount=type=secret,id=token --mount=type=ssh cat /src/x > /x
`
	key, _ := newSSHKey(t)
	type change func(tree *buildkittest.Tree, r *builder.SolveRequest)
	recipe := func(changed change) string {
		t.Helper()
		tree := buildkittest.NewTree(map[string]string{
			"Dockerfile": dockerfile, "a": "1", "b.txt": "1", "b.md": "1", "dir/b": "1", "dir/ignored": "1", "mounted/x": "1", "beside": "1", ".dockerignore": "dir/ignored\n",
		}).WithBusybox().Add("link", "a", fs.ModeSymlink|0o777)
		r := env.Request("ann", image, "1", tree)
		r.Options.Args = map[string]string{}
		r.Secrets = []catalog.OpenSecret{given(catalog.SecretValue, "token", secretValue, "a1"), given(catalog.SecretValue, "unused", secretValue, "a2"), given(catalog.SecretSSHKey, "default", key, "a3")}
		r.As.Tag = "1"
		changed(tree, &r)
		result, _ := env.Solve(t, r)
		return result.Recipe
	}
	first := recipe(func(*buildkittest.Tree, *builder.SolveRequest) {})
	if first == "" {
		t.Fatal("no recipe")
	}
	for what, changed := range map[string]change{
		"a file beside":          func(tree *buildkittest.Tree, _ *builder.SolveRequest) { tree.Add("beside", "2", 0o644) },
		"a file of no pattern":   func(tree *buildkittest.Tree, _ *builder.SolveRequest) { tree.Add("b.md", "2", 0o644) },
		"a file that is ignored": func(tree *buildkittest.Tree, _ *builder.SolveRequest) { tree.Add("dir/ignored", "2", 0o644) },
		"a comment": func(tree *buildkittest.Tree, _ *builder.SolveRequest) {
			tree.Add("Dockerfile", "# new\n"+dockerfile, 0o644)
		},
		"the commit": func(tree *buildkittest.Tree, r *builder.SolveRequest) {
			tree.Commit, r.Build.Commit = tree.Commit.Add(time.Hour), "other"
		},
		"an arg nobody declares": func(_ *buildkittest.Tree, r *builder.SolveRequest) { r.Options.Args["OTHER"] = "2" },
		"an arg's default":       func(_ *buildkittest.Tree, r *builder.SolveRequest) { r.Options.Args["DECLARED"] = "1" },
		"labels":                 func(_ *buildkittest.Tree, r *builder.SolveRequest) { r.Options.Labels = "version,source" },
		"pull":                   func(_ *buildkittest.Tree, r *builder.SolveRequest) { r.Options.Pull = true },
		"no cache":               func(_ *buildkittest.Tree, r *builder.SolveRequest) { r.Options.NoCache = true },
		"a secret nobody uses":   func(_ *buildkittest.Tree, r *builder.SolveRequest) { r.Secrets[1].SetAt = time.Now() },
	} {
		if recipe(changed) != first {
			t.Errorf("%s: the recipe is another", what)
		}
	}
	seen := map[string]string{first: "the first"}
	differ := func(what string, changed change) {
		t.Helper()
		other := recipe(changed)
		if was, ok := seen[other]; ok || other == "" {
			t.Errorf("%s: recipe %q is that of %s", what, other, was)
		}
		seen[other] = what
	}
	for what, changed := range map[string]change{
		"a file": func(tree *buildkittest.Tree, _ *builder.SolveRequest) { tree.Add("a", "2", 0o644) },
		"a mode": func(tree *buildkittest.Tree, _ *builder.SolveRequest) { tree.Add("a", "1", 0o755) },
		"a link": func(tree *buildkittest.Tree, _ *builder.SolveRequest) {
			tree.Add("link", "b.txt", fs.ModeSymlink|0o777)
		},
		"a file of a pattern": func(tree *buildkittest.Tree, _ *builder.SolveRequest) { tree.Add("b.txt", "2", 0o644) },
		"a new file":          func(tree *buildkittest.Tree, _ *builder.SolveRequest) { tree.Add("c.txt", "2", 0o644) },
		"a file in a copy":    func(tree *buildkittest.Tree, _ *builder.SolveRequest) { tree.Add("dir/b", "2", 0o644) },
		"a file's name": func(tree *buildkittest.Tree, _ *builder.SolveRequest) {
			delete(tree.MapFS, "dir/b")
			tree.Add("dir/c", "1", 0o644)
		},
		"a mounted file":       func(tree *buildkittest.Tree, _ *builder.SolveRequest) { tree.Add("mounted/x", "2", 0o644) },
		"what is ignored":      func(tree *buildkittest.Tree, _ *builder.SolveRequest) { tree.Add(".dockerignore", "", 0o644) },
		"an arg":               func(_ *buildkittest.Tree, r *builder.SolveRequest) { r.Options.Args["DECLARED"] = "2" },
		"a fact":               func(_ *buildkittest.Tree, r *builder.SolveRequest) { r.As.Tag = "2" },
		"a secret":             func(_ *buildkittest.Tree, r *builder.SolveRequest) { r.Secrets[0].SetAt = time.Now() },
		"a secret's namespace": func(_ *buildkittest.Tree, r *builder.SolveRequest) { r.Secrets[0].Alias = "other" },
		"no secret":            func(_ *buildkittest.Tree, r *builder.SolveRequest) { r.Secrets = r.Secrets[2:] },
		"an SSH key":           func(_ *buildkittest.Tree, r *builder.SolveRequest) { r.Secrets[2].SetAt = time.Now() },
		"the image's date":     func(_ *buildkittest.Tree, r *builder.SolveRequest) { r.Options.Args["SOURCE_DATE_EPOCH"] = "1" },
		"timestamps":           func(_ *buildkittest.Tree, r *builder.SolveRequest) { r.Options.Timestamps = catalog.TimestampsCommit },
		"the configuration": func(tree *buildkittest.Tree, _ *builder.SolveRequest) {
			tree.Add("Dockerfile", dockerfile+"ENV B=2\n", 0o644)
		},
		"a user": func(tree *buildkittest.Tree, _ *builder.SolveRequest) {
			tree.Add("Dockerfile", dockerfile+"USER 2\n", 0o644)
		},
	} {
		differ(what, changed)
	}
	differ("the daemon's version", func(*buildkittest.Tree, *builder.SolveRequest) {
		config, before := solverConfig(env.manager, env.Registry), env.Solver
		config.Version = "other"
		env.Solver = newSolver(t, config)
		t.Cleanup(func() { env.Solver = before })
	})
	for _, paths := range [][]string{{"a", "dir", "*.txt"}, {"other"}} { // which files count, and which do not
		with := func(changed change) change {
			return func(tree *buildkittest.Tree, r *builder.SolveRequest) {
				changed(tree, r)
				r.Paths = paths
			}
		}
		differ(fmt.Sprint(paths), with(func(*buildkittest.Tree, *builder.SolveRequest) {}))
		same := recipe(with(func(*buildkittest.Tree, *builder.SolveRequest) {}))
		if recipe(with(func(tree *buildkittest.Tree, _ *builder.SolveRequest) { tree.Add("mounted/x", "2", 0o644) })) != same {
			t.Errorf("%s: the recipe is another for a file that does not count", paths)
		}
		counted := recipe(with(func(tree *buildkittest.Tree, _ *builder.SolveRequest) { tree.Add("dir/b", "2", 0o644) }))
		if counts := counted != same; counts != (paths[0] == "a") {
			t.Errorf("%s: that dir/b counts is %v", paths, counts)
		}
		differ(fmt.Sprint(paths, " and a file that is not read"), with(func(_ *buildkittest.Tree, r *builder.SolveRequest) { r.PathsSum = "2" }))
		differ(fmt.Sprint(paths, " and what is ignored"), with(func(tree *buildkittest.Tree, _ *builder.SolveRequest) {
			tree.Add(".dockerignore", "dir/ignored\nmounted/more", 0o644)
		}))
		differ(fmt.Sprint(paths, " and an arg"), with(func(_ *buildkittest.Tree, r *builder.SolveRequest) { r.Options.Args["DECLARED"] = "2" }))
	}
	pushBase(t, "recipe", 2)
	differ("the base", func(*buildkittest.Tree, *builder.SolveRequest) {})
}

// Of what is elsewhere, nobody knows before it is built whether it is the same.
func TestNoRecipeOfWhatIsElsewhere(t *testing.T) {
	url := env.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") }))
	r := env.Request("ann", "elsewhere", "1", buildkittest.NewTree(map[string]string{"Dockerfile": "FROM scratch\nADD http://" + url + "/x /\n"}))
	r.Earlier = func(context.Context, string) (catalog.Version, error) {
		t.Error("was asked for an earlier version")
		return catalog.Version{}, nil
	}
	if result, _ := env.Solve(t, r); result.Recipe != "" {
		t.Errorf("recipe %s", result.Recipe)
	}
}

// What can't be had of an earlier version is built.
func TestEarlierImageThatIsGone(t *testing.T) {
	transport := &watchedTransport{}
	config := solverConfig(env.manager, env.Registry)
	config.Transport = transport
	solver := newSolver(t, config)
	tree := buildkittest.NewTree(map[string]string{"Dockerfile": "FROM scratch\nCOPY a /\n", "a": t.Name()})
	first, _ := env.Solve(t, commit("gone", "1", tree, 0))
	gone := "sha256:" + strings.Repeat("0", 64)
	for version, earlier := range map[string]func() (catalog.Version, error){
		"2": func() (catalog.Version, error) { return catalog.Version{Digest: gone}, nil },
		"3": func() (catalog.Version, error) { return catalog.Version{Digest: "nonsense"}, nil },
		"4": func() (catalog.Version, error) { return catalog.Version{}, errors.New("the store does not respond") },
		"5": func() (catalog.Version, error) {
			transport.forgets.Store(true) // also that it has the layer
			return catalog.Version{Digest: first.Digest}, nil
		},
	} {
		r := commit("gone", version, tree, 0)
		r.Earlier = func(context.Context, string) (catalog.Version, error) { return earlier() }
		result, err := solver.Solve(t.Context(), r, (&buildkittest.Recorder{}).Event)
		transport.forgets.Store(false)
		if err != nil || result.SameAs != "" || result.Recipe == "" {
			t.Errorf("%s: %+v, %v", version, result, err)
		}
		if files := env.ImageFiles(t, r); files["a"] != t.Name() {
			t.Errorf("%s holds %v", version, files)
		}
	}
}
