//go:build browser

package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/fandoghpaas/fandogh/internal/testkit/browser"
)

// Shell scripts of the user ali, whose images the pictures show.
const (
	pushBase = `git init -q base; cd base; mkdir bin; cp "$(command -v busybox)" bin/busybox
for name in sh sleep cat mkdir seq echo cp; do ln -s busybox bin/$name; done
printf 'FROM scratch\nCOPY bin /bin\nENV PATH=/bin\n' >Dockerfile
git add -A; git commit -q -m 'A base with a shell'; git tag 1.0; git push -q "$GIT/ali/base" HEAD:main 1.0`
	makeShop = `git init -q shop; cd shop; mkdir assets src
printf 'module shop\n' >go.mod; seq 2000 >assets/style.css; seq 9000 >src/main.go; echo '# Shop' >README.md
cat >Dockerfile <<EOF
FROM $HTTP/ali/base:1.0 AS assets
COPY assets /assets
RUN echo minifying 14 files; sleep 0.8; mkdir /out; cp /assets/style.css /out

FROM $HTTP/ali/base:1.0 AS build
COPY . /src
RUN echo fetching 31 modules; sleep 1.4
RUN for i in 1 2 3 4 5 6; do echo "compiled package \$i of 6"; sleep 0.3; done; mkdir /out; cp /src/src/main.go /out/shop

FROM $HTTP/ali/base:1.0
COPY --from=assets /out /srv/assets
COPY --from=build /out/shop /bin/shop
EXPOSE 8080
CMD ["/bin/shop"]
EOF
git add -A; git commit -q -m 'A shop'; git tag v1.0; git push -q "$GIT/ali/shop" HEAD:main v1.0`
	pushShop = `cd shop; seq "$2" >>"$3"; git add -A; git commit -q -m "$4"; git tag "$1"; git push -q "$GIT/ali/shop" HEAD:main "$1"`
	pushAPI  = `git init -q api; cd api; printf "FROM $HTTP/ali/base:1.0\nRUN echo 412 tests passed\n" >Dockerfile; git add -A; git commit -q -m 'An API'
for v in v0.1 v0.2; do git commit -q --allow-empty -m $v; git tag $v; git push -q "$GIT/ali/api" $v; done
printf 'RUN echo "api/orders_test.go:41: got 3 orders, want 4"; exit 1\n' >>Dockerfile; git commit -qam 'Count orders'; git tag v0.3; ! git push -q "$GIT/ali/api" v0.3`
)

// The pictures of docs/pictures are of what is really built. They are written to the directory that PICTURES names.
func TestPictures(t *testing.T) {
	to := os.Getenv("PICTURES")
	if to == "" {
		t.Skip("`make pictures` sets PICTURES")
	}
	l := newPagesEnv(t, "ali")
	l.must(pushBase)
	l.must(makeShop)
	l.must(pushShop, "v1.1", "500", "src/main.go", "Faster")
	l.must(pushAPI)
	l.must(pushShop, "v1.2", "3", "README.md", "Say how to run it")

	b := browser.New(t, "http://"+l.env["HTTP"])
	b.SignIn("/", "ali", "password-of-ali")
	b.Theme("light")
	picture := func(name, path, heading string) {
		t.Helper()
		b.Do(path, chromedp.EmulateViewport(pictureWidth, pictureHeight), chromedp.Navigate(b.URL+path), chromedp.WaitVisible(chromedp.CSS(`h1`)))
		b.Evaluate(`document.querySelector("` + heading + `").scrollIntoView({block: "center"}); ""`)
		shown, err := chromedp.Run(b.Context, func(ctx context.Context, target *chromedp.Target) ([]byte, error) {
			result, err := cdp.Call(ctx, target, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatWebp, Quality: new(int64(70))})
			if err != nil {
				return nil, err
			}
			return result.Data, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name+".svg"), pictureFile(shown), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	picture("home", "/", "h1")
	picture("build", "/images/ali/shop/v1.2/1", "#why")
	b.ToPersian()
	b.Theme("dark")
	picture("version", "/images/ali/shop/v1.1", "h1")
}

const (
	pictureWidth  = 1000
	pictureHeight = 900
)

// pictureFile is a picture as text, for what keeps no binary files.
func pictureFile(webp []byte) []byte {
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="%[2]d" viewBox="0 0 %[1]d %[2]d"><image width="%[1]d" height="%[2]d" href="data:image/webp;base64,%[3]s"/></svg>
`, pictureWidth, pictureHeight, base64.StdEncoding.EncodeToString(webp))
}
