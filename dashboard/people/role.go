// Package people knows who may use the dashboard: users, roles, sign-in, sessions
// and API tokens.
package people

// Role is a named set of permissions.
type Role string

// The built-in roles, each with everything of the one before.
const (
	Viewer   Role = "viewer"
	Operator Role = "operator"
	Admin    Role = "admin"
)

// Permission allows one kind of action.
type Permission string

// The permissions.
const (
	APIsRead          Permission = "apis:read"
	APIsWrite         Permission = "apis:write"
	PoliciesRead      Permission = "policies:read"
	PoliciesWrite     Permission = "policies:write"
	CertificatesRead  Permission = "certificates:read"
	CertificatesWrite Permission = "certificates:write"
	SecretsRead       Permission = "secrets:read"
	SecretsWrite      Permission = "secrets:write"
	DocumentsRead     Permission = "documents:read"
	DocumentsWrite    Permission = "documents:write"
	DraftsRead        Permission = "drafts:read"
	DraftsWrite       Permission = "drafts:write"
	DraftsApprove     Permission = "drafts:approve"
	KeysRead          Permission = "keys:read"
	KeysWrite         Permission = "keys:write"
	GatewaysRead      Permission = "gateways:read"
	RevisionsRead     Permission = "revisions:read"
	RequestsRead      Permission = "requests:read"
	PeopleRead        Permission = "people:read"
	PeopleWrite       Permission = "people:write"
	TokensWrite       Permission = "tokens:write"
)

// Permissions lists what a role may do; an unknown role may do nothing.
func (r Role) Permissions() []Permission {
	read := []Permission{APIsRead, PoliciesRead, CertificatesRead, SecretsRead, DocumentsRead, DraftsRead, KeysRead, GatewaysRead, RevisionsRead, RequestsRead}
	write := []Permission{APIsWrite, PoliciesWrite, CertificatesWrite, SecretsWrite, DocumentsWrite, DraftsWrite, KeysWrite}
	admin := []Permission{DraftsApprove, PeopleRead, PeopleWrite, TokensWrite}
	switch r {
	case Viewer:
		return read
	case Operator:
		return append(read, write...)
	case Admin:
		return append(append(read, write...), admin...)
	}
	return nil
}

// Can tells whether a role has a permission.
func (r Role) Can(p Permission) bool {
	for _, have := range r.Permissions() {
		if have == p {
			return true
		}
	}
	return false
}
