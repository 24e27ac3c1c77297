// Clang's thread-safety annotations; empty for other compilers. See clang's ThreadSafetyAnalysis documentation.
#pragma once

#if defined(__clang__)
#define MP_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define MP_THREAD_ATTRIBUTE(x)
#endif

#define MP_CAPABILITY(name) MP_THREAD_ATTRIBUTE(capability(name))
#define MP_SCOPED_CAPABILITY MP_THREAD_ATTRIBUTE(scoped_lockable)
#define MP_GUARDED_BY(mutex) MP_THREAD_ATTRIBUTE(guarded_by(mutex))
#define MP_REQUIRES(...) MP_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define MP_EXCLUDES(...) MP_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define MP_ACQUIRE(...) MP_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define MP_RELEASE(...) MP_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
#define MP_NO_THREAD_SAFETY_ANALYSIS MP_THREAD_ATTRIBUTE(no_thread_safety_analysis)
