// What the demo says. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "client/cli/demo_figures.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::client {

class DemoServer;

// What the patch gains and costs, in words.
std::string VerdictText(const DemoFigures& figures, double epsilon_points);

// What was stored where, and what to try next.
std::string EpilogueText(const v1::PatchJob& job, const DemoServer& server, bool keep);

}  // namespace modelpatch::client
