/* What the files of the public door share. Private. */
#ifndef PF_API_POCPF_OF_H
#define PF_API_POCPF_OF_H

#include "pf/core/core.h"
#include "pocpf/pocpf.h"

struct pocpf {
    core_engine *core;
    pocpf_host host;
    pocpf_record records[CORE_RECORDS_MAX];
};

/* The door says const because the octets are; what changes is the number of owners. */
static inline poc_secret *owner_of(const pocpf_secret *s)
{
    return (poc_secret *)(uintptr_t)s;
}

#endif
