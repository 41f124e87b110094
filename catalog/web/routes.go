package web

import (
	"slices"

	"github.com/fandoghpaas/fandogh/catalog"
)

// access says who may use a route. The zero value is none at all, so that a route without a declared access can't be served.
type access struct {
	open   bool           // also without a session
	self   bool           // every user, on what they may read; with ActionWrite, on what is their own
	whole  bool           // on the installation: administrators
	action catalog.Action // else on the path's namespace
}

var (
	accessOpen    = access{open: true}
	accessSelf    = access{self: true}
	accessOwn     = access{self: true, action: catalog.ActionWrite}
	accessRead    = access{action: catalog.ActionRead}
	accessWrite   = access{action: catalog.ActionWrite}
	accessManage  = access{action: catalog.ActionManage}
	accessOperate = access{whole: true, action: catalog.ActionOperate}
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
	return slices.Concat([]route{
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
	}, accountRoutes())
}

// accountRoutes are about who is signed in.
func accountRoutes() []route {
	account := func(change func(*call) error) func(*call) error { return form(change, (*call).accountPage) }
	return []route{
		{"GET", "/account", accessSelf, (*call).accountPage},
		{"POST", "/account/look", accessSelf, account((*call).chooseLook)},
		{"POST", "/account/tokens", accessOwn, account((*call).createToken)},
		{"POST", "/account/tokens/{id}/revoke", accessOwn, account((*call).revokeToken)},
		{"POST", "/account/keys", accessOwn, account((*call).addKey)},
		{"POST", "/account/keys/{id}/delete", accessOwn, account((*call).deleteKey)},
		{"POST", "/account/password", accessOwn, account((*call).changePassword)},
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
