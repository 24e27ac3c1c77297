// The command that submits a job again. Pure function.
#pragma once

#include <string>

#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::client::report {

// `modelpatch job submit …` for a POSIX shell, over several lines; parsed, it gives the same spec. It has no name for
// the job: that one is taken.
std::string SubmitLine(const v1::PatchJobSpec& spec);

}  // namespace modelpatch::client::report
