// Package publish is the wire between dashboards and gateways: signed roots,
// parts and items in Redis, with both ends of it.
//
// An item is the text of a definition, policy or other object, named by its
// SHA-256. The items of a gateway group fall into 256 parts by a hash of their
// identity; a part is a sorted list of items, named by its SHA-256 too. A root
// names the 256 parts and is signed. So one signature covers every text, and
// one change costs one item, one part and one root.
//
// Contents (items and parts) are uploaded first and bear an expiry until a root
// names them. One Lua script then writes the roots of all groups if they are
// newer than what is there by (epoch, generation), makes everything they name
// permanent, and gives what is no longer named ten minutes to live. Any number
// of dashboards may do this at once. All keys share one hash tag, so it works on
// Redis Cluster.
//
// A publication of thousands of contents (a rebuild) stores them for good in
// chunks beforehand and claims them, so that the script stays short; what is
// claimed is not let go by others for ten minutes. If its roots then are refused,
// strays remain, which Writer.Strays finds.
//
// The reader believes nothing without its signature or hash.
package publish
