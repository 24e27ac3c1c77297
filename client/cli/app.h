// The program `modelpatch`.
#pragma once

#include <ostream>

namespace modelpatch::client {

// Runs one command line; results go to `out`, everything else to `error`. Returns the exit code: 0 for success (and
// --help), 1 for a command that failed, 2 for a command line that makes no sense.
int RunApp(int argc, const char* const* argv, std::ostream& out, std::ostream& error);

}  // namespace modelpatch::client
