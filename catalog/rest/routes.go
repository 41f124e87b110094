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
	return append([]route{
		{"GET", "version", accessOpen, answer((*call).programVersion)},

		{"POST", "tokens", accessOpen, accept((*call).createToken)},
		{"GET", "tokens", accessSelfRead, answer((*call).listTokens)},
		{"DELETE", "tokens/{id}", accessSelfWrite, (*call).deleteToken},

		{"GET", "accounts", accessSelfRead, answer((*call).account)},
		{"PATCH", "accounts", accessSelfWrite, accept((*call).updateAccount)},
		{"GET", "accounts/{user}", accessSelfRead, answer((*call).account)},
		{"PATCH", "accounts/{user}", accessSelfWrite, accept((*call).updateAccount)},

		{"GET", "keys", accessSelfRead, answer((*call).listKeys)},
		{"POST", "keys", accessSelfWrite, accept((*call).createKey)},
		{"DELETE", "keys/{id}", accessSelfWrite, (*call).deleteKey},

		// As the published contract has them.
		{"GET", "users/namespaces", accessSelfRead, answer((*call).listNamespaces)},
		{"GET", "users/namespaces/{namespace}", accessRead, answer((*call).oneNamespace)},
		{"POST", "errors", accessOpen, (*call).crashReport},

		{"GET", "namespaces", accessSelfRead, answer((*call).listNamespaces)},
		{"POST", "namespaces", accessSelfWrite, accept((*call).createNamespace)},
		{"GET", namespace + "/members", accessRead, answer((*call).listMembers)},
		{"PUT", namespace + "/members/{user}", accessManage, accept((*call).setMember)},
		{"DELETE", namespace + "/members/{user}", accessManage, (*call).deleteMember},

		{"GET", "images", accessRead, (*call).listImages},
		{"POST", "images", accessWrite, accept((*call).createImage)},
		{"DELETE", image, accessManage, (*call).deleteImage},
		{"GET", image + "/default-branch", accessRead, answer((*call).defaultBranch)},
		{"PUT", image + "/default-branch", accessManage, accept((*call).setDefaultBranch)},

		{"GET", image + "/versions", accessRead, (*call).listVersions},
		{"POST", image + "/versions", accessWrite, answer((*call).createVersion)},
		{"GET", version, accessRead, answer((*call).versionDetail)},
		{"GET", version + "/history", accessRead, answer((*call).history)},
		{"DELETE", version, accessManage, (*call).deleteVersion},
		{"POST", version + "/cancel", accessWrite, answer((*call).cancel)},
		{"POST", version + "/rebuild", accessWrite, answer((*call).rebuild)},

		{"GET", version + "/builds", accessRead, answer((*call).builds)},
		{"GET", version + "/builds/{build}/log", accessRead, (*call).buildLog},

		{"GET", "events", accessReadAll, (*call).events},

		{"GET", image + "/github", accessRead, answer((*call).githubStatus)},
		{"PUT", image + "/github", accessManage, accept((*call).githubConnect)},
		{"DELETE", image + "/github", accessManage, (*call).githubDisconnect},
		{"POST", image + "/github/sync", accessWrite, answer((*call).githubSync)},

		// An address may be a secret by itself, so that only owners see it.
		{"GET", image + "/webhooks", accessManage, answer((*call).listWebhooks)},
		{"POST", image + "/webhooks", accessManage, accept((*call).createWebhook)},
		{"DELETE", image + "/webhooks/{id}", accessManage, (*call).deleteWebhook},
		{"GET", image + "/webhooks/{id}/deliveries", accessManage, answer((*call).webhookDeliveries)},
		{"GET", namespace + "/webhooks", accessManage, answer((*call).listWebhooks)},
		{"POST", namespace + "/webhooks", accessManage, accept((*call).createWebhook)},
		{"DELETE", namespace + "/webhooks/{id}", accessManage, (*call).deleteWebhook},
		{"GET", namespace + "/webhooks/{id}/deliveries", accessManage, answer((*call).webhookDeliveries)},

		{"GET", namespace + "/secrets", accessRead, answer((*call).listSecrets)},
		{"POST", namespace + "/secrets", accessManage, accept((*call).setSecret)},
		{"DELETE", namespace + "/secrets/{id}", accessManage, (*call).deleteSecret},
		{"GET", namespace + "/registries", accessRead, answer((*call).listRegistries)},
		{"POST", namespace + "/registries", accessManage, accept((*call).setRegistry)},
		{"DELETE", namespace + "/registries/{id}", accessManage, (*call).deleteRegistry},
	}, adminRoutes()...)
}

// adminRoutes do what fandoghd admin does, through the daemon. What they are about is in no namespace of the request.
func adminRoutes() []route {
	return []route{
		{"GET", "admin/users", accessOperate, answer((*call).listUsers)},
		{"PATCH", "admin/users/{user}", accessOperate, accept((*call).updateUser)},
		{"DELETE", "admin/users/{user}", accessOperate, (*call).deleteUser},
		{"GET", "admin/users/{user}/tokens", accessOperate, answer((*call).tokensOf)},
		{"DELETE", "admin/users/{user}/tokens", accessOperate, (*call).revokeTokensOf},
		{"DELETE", "admin/users/{user}/tokens/{id}", accessOperate, (*call).revokeTokenOf},
		{"GET", "admin/users/{user}/keys", accessOperate, answer((*call).keysOf)},
		{"DELETE", "admin/users/{user}/keys/{id}", accessOperate, (*call).deleteKeyOf},
		{"GET", "admin/namespaces", accessOperate, answer((*call).allNamespaces)},
		{"DELETE", "admin/namespaces/{shared}", accessOperate, (*call).deleteNamespace},
		{"GET", "admin/mirror", accessOperate, answer((*call).listMirrored)},
		{"DELETE", "admin/mirror", accessOperate, answer((*call).pruneMirrored)},
	}
}
