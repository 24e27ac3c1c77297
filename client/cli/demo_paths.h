// Where the demo's files lie, if nobody says so.
#pragma once

#include "client/cli/demo.h"

namespace modelpatch::client {

// Fills the paths that are empty: the server beside this program; model and images where an installation has them
// (PREFIX/share/modelpatch/demo) or, in a build directory of the source tree, in deploy/demo.
void FillDemoPaths(DemoOptions& options);

}  // namespace modelpatch::client
