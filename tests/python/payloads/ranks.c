/* A rank that works until a file is there: the ranks of a job sum up all the time, so that each needs all the others.
 * What it needs of Open MPI is declared here, since its headers are not on every machine that has its libraries. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern char ompi_mpi_comm_world, ompi_mpi_int, ompi_mpi_op_sum;
int MPI_Init(int *argc, char ***argv);
int MPI_Comm_rank(void *comm, int *rank);
int MPI_Comm_size(void *comm, int *size);
int MPI_Allreduce(const void *from, void *to, int count, void *type, void *op, void *comm);
int MPI_Finalize(void);

int main(int argc, char **argv)
{
    int rank, size, mine[2], all[2] = {0, 0};
    if (argc < 2)
        return 2;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(&ompi_mpi_comm_world, &rank);
    MPI_Comm_size(&ompi_mpi_comm_world, &size);
    while (!all[1]) {
        mine[0] = rank + 1;
        mine[1] = access(argv[1], F_OK) == 0;
        MPI_Allreduce(mine, all, 2, &ompi_mpi_int, &ompi_mpi_op_sum, &ompi_mpi_comm_world);
        usleep(2000);
    }
    printf("rank %d of %d: sum %d\n", rank, size, all[0]);
    MPI_Finalize();
    return 0;
}
