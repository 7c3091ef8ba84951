/* A program that only says that it ran. */
int main(void)
{
	return STATUS;
}
