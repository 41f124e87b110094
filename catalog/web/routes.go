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
		{"GET", version + "/files", accessRead, (*call).filesPage},
		{"GET", version + "/changes", accessRead, (*call).changesPage},
		{"POST", version + "/cancel", accessWrite, (*call).cancel},
		{"POST", version + "/rebuild", accessWrite, form((*call).rebuild, (*call).versionPage)},
		{"GET", build, accessRead, (*call).buildPage},
		{"GET", build + "/log", accessRead, (*call).rawLog},
		{"GET", build + "/lines", accessRead, (*call).logWindow},
		{"GET", build + "/outline", accessRead, (*call).logOutline},
		{"GET", build + "/find", accessRead, (*call).findInLog},
		{"GET", build + "/events", accessRead, (*call).followLog},
	}, accountRoutes(), settingsRoutes(), adminRoutes())
}

// accountRoutes are about who is signed in.
func accountRoutes() []route {
	account := func(change func(*call) error) func(*call) error { return form(change, (*call).accountPage) }
	return []route{
		{"GET", "/account", accessSelf, (*call).accountPage},
		{"POST", "/account/look", accessSelf, account((*call).chooseLook)},
		{"POST", "/account/tokens", accessOwn, account((*call).createToken)},
		{"POST", "/account/tokens/{id}/revoke", accessOwn, account((*call).revokeToken)},
		{"POST", "/account/sessions/end", accessOwn, account((*call).endOtherSessions)},
		{"POST", "/account/keys", accessOwn, account((*call).addKey)},
		{"POST", "/account/keys/{id}/delete", accessOwn, account((*call).deleteKey)},
		{"POST", "/account/password", accessOwn, account((*call).changePassword)},
	}
}

// settingsRoutes are about images and namespaces beside what they hold. Their paths are not below an image's, where any name may be a version's.
func settingsRoutes() []route {
	const (
		namespace = "/namespaces/{namespace}"
		image     = "/settings/{namespace}/{image}"
	)
	members := func(change func(*call) error) func(*call) error { return form(change, (*call).membersPage) }
	settings := func(change func(*call) error) func(*call) error { return form(change, (*call).settingsPage) }
	github := func(change func(*call) error) func(*call) error { return form(change, (*call).githubPage) }
	return slices.Concat([]route{
		{"GET", namespace + "/members", accessRead, (*call).membersPage},
		{"POST", namespace + "/members", accessManage, members((*call).setMember)},
		{"POST", namespace + "/members/remove", accessManage, members((*call).removeMember)},
		{"GET", namespace + "/usage", accessRead, (*call).usagePage},

		{"GET", image, accessManage, (*call).settingsPage},
		{"POST", image + "/signed-tags", accessManage, settings((*call).signTags)},
		{"POST", image + "/delete", accessManage, settings((*call).deleteImage)},

		{"GET", image + "/github", accessRead, (*call).githubPage},
		{"POST", image + "/github", accessManage, github((*call).connectGitHub)},
		{"POST", image + "/github/disconnect", accessManage, github((*call).disconnectGitHub)},
		{"POST", image + "/github/sync", accessWrite, github((*call).syncGitHub)},
	}, scopeRoutes(image), scopeRoutes(namespace))
}

// scopeRoutes are about an image, or a namespace with all of its images.
func scopeRoutes(at string) []route {
	webhooks := func(change func(*call) error) func(*call) error { return form(change, (*call).webhooksPage) }
	retention := func(change func(*call) error) func(*call) error { return form(change, (*call).retentionPage) }
	webhook := at + "/webhooks/{id}"
	return []route{
		// An address may be a secret by itself, so that only who manages what it tells of sees it.
		{"GET", at + "/webhooks", accessManage, (*call).webhooksPage},
		{"POST", at + "/webhooks", accessManage, webhooks((*call).createWebhook)},
		{"GET", webhook, accessManage, (*call).deliveriesPage},
		{"POST", webhook + "/delete", accessManage, webhooks((*call).deleteWebhook)},
		{"POST", webhook + "/redeliver", accessManage, form((*call).redeliver, (*call).deliveriesPage)},

		{"GET", at + "/retention", accessRead, (*call).retentionPage},
		{"GET", at + "/retention/preview", accessRead, (*call).previewPage},
		{"POST", at + "/retention", accessManage, retention((*call).setRetention)},
		{"POST", at + "/retention/delete", accessManage, retention((*call).dropRetention)},
	}
}

// adminRoutes are for administrators. What they are about is in no namespace of the request.
func adminRoutes() []route {
	const (
		user      = "/admin/users/{user}"
		namespace = "/admin/namespaces/{shared}"
	)
	one := func(change func(*call) error) func(*call) error { return form(change, (*call).userPage) }
	limits := func(change func(*call) error) func(*call) error { return form(change, (*call).limitsPage) }
	queue := func(change func(*call) error) func(*call) error { return form(change, (*call).queuePage) }
	return []route{
		{"GET", "/admin", accessOperate, (*call).adminPage},
		{"GET", "/admin/users", accessOperate, (*call).usersPage},
		{"POST", "/admin/users", accessOperate, form((*call).addUser, (*call).usersPage)},
		{"GET", user, accessOperate, (*call).userPage},
		{"POST", user + "/change", accessOperate, one((*call).changeUser)},
		{"POST", user + "/password", accessOperate, one((*call).resetPassword)},
		{"POST", user + "/revoke", accessOperate, one((*call).revokeTokens)},
		{"POST", user + "/delete", accessOperate, one((*call).deleteUser)},
		{"GET", "/admin/namespaces", accessOperate, (*call).namespacesPage},
		{"GET", namespace, accessOperate, (*call).limitsPage},
		{"POST", namespace + "/limits", accessOperate, limits((*call).setLimits)},
		{"POST", namespace + "/delete", accessOperate, limits((*call).deleteNamespace)},
		{"GET", "/admin/queue", accessOperate, (*call).queuePage},
		{"GET", "/admin/queue/events", accessOperate, (*call).queueNews},
		{"POST", "/admin/queue/pause", accessOperate, queue((*call).pauseQueue)},
		{"POST", "/admin/queue/resume", accessOperate, queue((*call).resumeQueue)},
		{"GET", "/admin/disk", accessOperate, (*call).diskPage},
		{"POST", "/admin/disk/collect", accessOperate, form((*call).collect, (*call).diskPage)},
		{"GET", "/admin/audit", accessOperate, (*call).auditPage},
		{"GET", "/admin/doctor", accessOperate, (*call).doctorPage},
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
