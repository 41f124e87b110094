package web

import "github.com/fandoghpaas/fandogh/catalog"

// access says who may use a route. The zero value is none at all, so that a route without a declared access can't be served.
type access struct {
	open   bool           // also without a session
	self   bool           // every user, on what they may read
	action catalog.Action // on the path's namespace
}

var (
	accessOpen  = access{open: true}
	accessSelf  = access{self: true}
	accessRead  = access{action: catalog.ActionRead}
	accessWrite = access{action: catalog.ActionWrite}
)

// route is one row of the pages.
type route struct {
	method string
	path   string
	access access
	handle func(*call) error
}

func routes() []route {
	const (
		image   = "/images/{namespace}/{image}"
		version = image + "/{version}"
		build   = version + "/{build}"
	)
	return []route{
		{"GET", "/{$}", accessSelf, (*call).home},
		{"GET", "/events", accessSelf, (*call).news},
		{"GET", "/search", accessSelf, (*call).search},
		{"GET", "/signin", accessOpen, (*call).signInPage},
		{"POST", "/signin", accessOpen, (*call).signIn},
		{"POST", "/signout", accessSelf, (*call).signOut},
		{"POST", "/language", accessOpen, (*call).chooseLanguage},
		{"GET", "/static/{file}", accessOpen, (*call).static},

		{"GET", "/images/{namespace}", accessRead, (*call).namespacePage},
		{"GET", image, accessRead, (*call).imagePage},
		{"GET", version, accessRead, (*call).versionPage},
		{"POST", version + "/cancel", accessWrite, (*call).cancel},
		{"POST", version + "/rebuild", accessWrite, (*call).rebuild},
		{"GET", build, accessRead, (*call).buildPage},
		{"GET", build + "/log", accessRead, (*call).rawLog},
		{"GET", build + "/lines", accessRead, (*call).logWindow},
		{"GET", build + "/outline", accessRead, (*call).logOutline},
		{"GET", build + "/find", accessRead, (*call).findInLog},
		{"GET", build + "/events", accessRead, (*call).followLog},
	}
}

// Routes lists what is served, as "METHOD /path", for tests of who may use it.
func Routes() []string {
	var all []string
	for _, r := range routes() {
		all = append(all, r.method+" "+r.path)
	}
	return all
}
