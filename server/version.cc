#include "server/version.h"

namespace modelpatch::server {

std::string Version() { return MODELPATCH_VERSION; }

}  // namespace modelpatch::server
