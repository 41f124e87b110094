package rest

// route is one row of the API. The path follows the prefix; {namespace} in it
// takes the place of the ACTIVE-NAMESPACE header.
type route struct {
	method string
	path   string
	access access
	handle handler
}

func routes() []route {
	const (
		namespace = "namespaces/{namespace}"
		image     = "images/{name}"
		version   = image + "/versions/{version}"
	)
	return []route{
		{"POST", "tokens", accessOpen, accept((*call).createToken)},
		{"GET", "tokens", accessSelfRead, answer((*call).listTokens)},
		{"DELETE", "tokens/{id}", accessSelfWrite, (*call).deleteToken},

		{"GET", "accounts", accessSelfRead, answer((*call).account)},
		{"PATCH", "accounts", accessSelfWrite, accept((*call).updateAccount)},

		{"GET", "keys", accessSelfRead, answer((*call).listKeys)},
		{"POST", "keys", accessSelfWrite, accept((*call).createKey)},
		{"DELETE", "keys/{id}", accessSelfWrite, (*call).deleteKey},

		{"GET", "namespaces", accessSelfRead, answer((*call).listNamespaces)},
		{"POST", "namespaces", accessSelfWrite, accept((*call).createNamespace)},
		{"GET", namespace + "/members", accessRead, answer((*call).listMembers)},
		{"PUT", namespace + "/members/{user}", accessOwn, accept((*call).setMember)},
		{"DELETE", namespace + "/members/{user}", accessOwn, (*call).deleteMember},

		{"GET", "images", accessRead, answer((*call).listImages)},
		{"POST", "images", accessWrite, accept((*call).createImage)},
		{"DELETE", image, accessOwn, (*call).deleteImage},

		{"GET", image + "/versions", accessRead, answer((*call).listVersions)},
		{"POST", image + "/versions", accessWrite, answer((*call).createVersion)},
		{"GET", version, accessRead, answer((*call).versionDetail)},
		{"GET", version + "/history", accessRead, answer((*call).history)},
		{"DELETE", version, accessOwn, (*call).deleteVersion},
		{"POST", version + "/cancel", accessWrite, answer((*call).cancel)},
		{"POST", version + "/rebuild", accessWrite, answer((*call).rebuild)},

		{"GET", version + "/builds", accessRead, answer((*call).builds)},
		{"GET", version + "/builds/{build}/log", accessRead, (*call).buildLog},

		{"GET", "events", accessReadAll, (*call).events},

		{"GET", image + "/github", accessRead, answer((*call).githubStatus)},
		{"PUT", image + "/github", accessOwn, accept((*call).githubConnect)},
		{"DELETE", image + "/github", accessOwn, (*call).githubDisconnect},
		{"POST", image + "/github/sync", accessWrite, answer((*call).githubSync)},

		// An address may be a secret by itself, so that only owners see it.
		{"GET", image + "/webhooks", accessOwn, answer((*call).listWebhooks)},
		{"POST", image + "/webhooks", accessOwn, accept((*call).createWebhook)},
		{"DELETE", image + "/webhooks/{id}", accessOwn, (*call).deleteWebhook},
		{"GET", image + "/webhooks/{id}/deliveries", accessOwn, answer((*call).webhookDeliveries)},
		{"GET", namespace + "/webhooks", accessOwn, answer((*call).listWebhooks)},
		{"POST", namespace + "/webhooks", accessOwn, accept((*call).createWebhook)},
		{"DELETE", namespace + "/webhooks/{id}", accessOwn, (*call).deleteWebhook},
		{"GET", namespace + "/webhooks/{id}/deliveries", accessOwn, answer((*call).webhookDeliveries)},
	}
}
