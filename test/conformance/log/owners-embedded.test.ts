import { ownerConformance } from './owners.ts';

ownerConformance('embedded');
