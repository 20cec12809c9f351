// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "userspace/libutrace/decode/constants.h"
#include "userspace/libutrace/decode/quote.h"
#include "userspace/libutrace/decode/struct_text.h"

namespace utrace {
namespace {

std::string UnixText(absl::string_view path) {
  if (path.empty()) return "";
  if (path[0] == '\0') return absl::StrCat(", sun_path=@", Quote(path.substr(1)));
  return absl::StrCat(", sun_path=", Quote(path.substr(0, path.find('\0'))));
}

std::string Inet6Text(absl::string_view bytes) {
  const auto a = Load<sockaddr_in6>(bytes, 0);
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(AF_INET6, &a.sin6_addr, text, sizeof(text));
  return absl::StrFormat(
      ", sin6_port=htons(%d), sin6_flowinfo=htonl(%d), inet_pton(AF_INET6, \"%s\", &sin6_addr), "
      "sin6_scope_id=%d",
      ntohs(a.sin6_port), ntohl(a.sin6_flowinfo), text, a.sin6_scope_id);
}

}  // namespace

std::string SocketAddressText(absl::string_view bytes) {
  if (bytes.size() < sizeof(sa_family_t)) return {};
  const auto family = Load<sa_family_t>(bytes, 0);
  std::string out = absl::StrCat("{sa_family=", EnumText(SetId::kFamily, family));
  if (family == AF_UNIX) {
    out += UnixText(bytes.substr(offsetof(sockaddr_un, sun_path)));
  } else if (family == AF_INET && bytes.size() >= sizeof(sockaddr_in)) {
    const auto a = Load<sockaddr_in>(bytes, 0);
    char text[INET_ADDRSTRLEN] = "";
    inet_ntop(AF_INET, &a.sin_addr, text, sizeof(text));
    absl::StrAppendFormat(&out, ", sin_port=htons(%d), sin_addr=inet_addr(\"%s\")",
                          ntohs(a.sin_port), text);
  } else if (family == AF_INET6 && bytes.size() >= sizeof(sockaddr_in6)) {
    out += Inet6Text(bytes);
  } else if (family == AF_NETLINK && bytes.size() >= 12) {
    absl::StrAppendFormat(&out, ", nl_pid=%d, nl_groups=%08x", Load<int32_t>(bytes, 4),
                          Load<uint32_t>(bytes, 8));
  } else if (family != AF_UNSPEC) {
    absl::StrAppend(&out, ", sa_data=", Quote(bytes.substr(sizeof(sa_family_t))));
  }
  return out + "}";
}

}  // namespace utrace
